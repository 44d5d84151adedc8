/** `weir up` as docs/several-machines.md says: nodes started, used by `weir run --topology`, stopped. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { nodeNames } from "../../protocols/fusion/deployment/deployment.ts";
import { freePorts } from "../cli/free-ports.ts";

const WEIR = path.resolve(import.meta.dirname, "../../cli/weir.mjs");

it("weir up serves weir run --topology and ends at SIGINT", { timeout: 90_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "weir-up-"));
  const topology = path.join(folder, "topology.json");
  const names = nodeNames(2, 2);
  const ports = await freePorts(names.length);
  const nodes = Object.fromEntries(names.map((name, at) => [name, `ws://127.0.0.1:${ports[at]}`]));
  await writeFile(topology, JSON.stringify({ alpha: 2, beta: 2, nodes }));

  const up = spawn(process.execPath, [WEIR, "up", "--topology", topology], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(up, "exit");
  try {
    let said = "";
    for await (const chunk of up.stderr.iterator({ destroyOnReturn: false })) {
      said += String(chunk);
      if (said.includes("6 nodes are linked")) break;
    }
    assert.match(said, /6 nodes are linked; stop them with Ctrl-C/);
    const flags = ["--topology", topology, "--alpha", "2", "--prompt", "It was", "--max-tokens", "3", "--json"];
    const { stdout } = await promisify(execFile)(process.execPath, [WEIR, "run", ...flags]);
    const record = JSON.parse(stdout) as { payloadBytes: number; expectedPayloadBytes: number; generatedIds: number[] };
    assert.equal(record.generatedIds.length, 3);
    assert.equal(record.payloadBytes, record.expectedPayloadBytes);
  } finally {
    up.kill("SIGINT");
    await ended;
    await rm(folder, { recursive: true });
  }
  assert.equal(up.exitCode, 0);
});
