/** Nodes as people start them on several machines: `weir node` processes over wss:// with certificates, and `weir run` through them. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, it } from "node:test";
import { nodeNames } from "../../../protocols/fusion/deployment/deployment.ts";
import { runRecord } from "../../../protocols/fusion/record/run-record.ts";
import { freePorts } from "../../cli/free-ports.ts";
import { weir } from "../../cli/weir-command.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const WEIR = path.resolve(import.meta.dirname, "../../../cli/weir.mjs");
/** Made by tests/protocols/wire/certificates/make.sh. */
const pem = (name: string): string => path.resolve(import.meta.dirname, "../wire/certificates", name);
const flagsOf = (name: string): string[] => [
  "--cert",
  pem(`${name}.pem`),
  "--key",
  pem(`${name}.key`),
  "--ca",
  pem("authority.pem"),
];
const SHAPE = { alpha: 2, beta: 1 };
const PROMPT = ["--alpha", "2", "--beta", "1", "--prompt", "The river ran past the mill, and the"];
const LENGTH = ["--max-tokens", "6"];

describe("weir node over wss://", async () => {
  const scratch = await scratchFolder();

  it("serves weir run --topology: the same text as in one process, and only for those with a certificate", async () => {
    const names = nodeNames(SHAPE.alpha, SHAPE.beta);
    const ports = await freePorts(names.length);
    const addresses = Object.fromEntries(names.map((name, at) => [name, `wss://localhost:${ports[at]}`]));
    const topology = await scratch.write("topology.json", JSON.stringify({ ...SHAPE, nodes: addresses }));
    const nodes = names.map((party) =>
      spawn(process.execPath, [WEIR, "node", "--party", party, "--topology", topology, ...flagsOf("localhost")], {
        stdio: ["ignore", "ignore", "pipe"],
      }),
    );
    const ended = nodes.map((node) => once(node, "exit"));
    try {
      const said = await Promise.all(nodes.map((node) => stderrUntil(node, "is linked to all its peers")));
      for (const [at, text] of said.entries())
        assert.ok(text.startsWith(`${names[at]} listens at wss://localhost:${ports[at]}\n`), text);

      const expected = await weir("run", ...PROMPT, ...LENGTH, "--json", "--place", "memory");
      const through = [...PROMPT, ...LENGTH, "--topology", topology];
      const { code, stdout, stderr } = await weir("run", ...through, "--json", ...flagsOf("localhost"));
      assert.equal(stderr, "");
      assert.equal(code, 0);
      const record = runRecord.parse(JSON.parse(stdout));
      assert.equal(record.text, runRecord.parse(JSON.parse(expected.stdout)).text);
      assert.notEqual(record.text, "");
      assert.equal(record.payloadBytes, record.expectedPayloadBytes);

      for (const impostor of [flagsOf("impostor"), ["--ca", pem("authority.pem")], []]) {
        const refused = await weir("run", ...through, ...impostor);
        assert.equal(refused.stdout, "");
        assert.match(refused.stderr, /^weir: .*certificate/im);
        assert.equal(refused.code, 1);
      }
      const still = await weir("run", ...through, "--json", ...flagsOf("localhost"));
      assert.equal(still.code, 0, still.stderr);
    } finally {
      for (const node of nodes) node.kill("SIGTERM");
      await Promise.all(ended);
    }
    assert.deepEqual(
      nodes.map(({ exitCode }) => exitCode),
      names.map(() => 0),
    );
  });
});

// Helpers

/** What a process says on stderr, until it says `text`. Rejects where it ends before. */
async function stderrUntil(child: ChildProcess, text: string): Promise<string> {
  let said = "";
  for await (const chunk of child.stderr!.iterator({ destroyOnReturn: false })) {
    said += String(chunk);
    if (said.includes(text)) return said;
  }
  throw new Error(`node: expected "${text}" on stderr, got the end after: ${said}`);
}
