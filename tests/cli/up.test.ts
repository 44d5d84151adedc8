/** `weir up`: certificates, what a topology implies for a run, names of processes, and ports that are in use. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeNames } from "../../protocols/fusion/deployment/deployment.ts";
import { runRecord } from "../../protocols/fusion/record/run-record.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { freePorts } from "./free-ports.ts";
import { weir } from "./weir-command.ts";

const WEIR = fileURLToPath(new URL("../../cli/weir.mjs", import.meta.url));
const CERTIFICATES = path.resolve(import.meta.dirname, "../protocols/wire/certificates");
const pem = (name: string): string => path.join(CERTIFICATES, name);
const SECURE = ["--cert", pem("localhost.pem"), "--key", pem("localhost.key"), "--ca", pem("authority.pem")];

describe("weir up", async () => {
  const scratch = await scratchFolder();
  /** Writes the topology of these nodes, on free ports. */
  const topologyOf = async (name: string, scheme: string, alpha: number, beta: number): Promise<[string, number[]]> => {
    const names = nodeNames(alpha, beta);
    const ports = await freePorts(names.length);
    const nodes = Object.fromEntries(names.map((node, at) => [node, `${scheme}://127.0.0.1:${ports[at]}`]));
    return [await scratch.write(name, JSON.stringify({ alpha, beta, nodes })), ports];
  };

  it("serves wss:// with certificates, and a run needs no more than the topology", { timeout: 120_000 }, async () => {
    const [topology] = await topologyOf("secure.json", "wss", 1, 2);
    const up = spawn(process.execPath, [WEIR, "up", "--topology", topology, ...SECURE], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(up, "exit");
    try {
      let said = "";
      for await (const chunk of up.stderr.iterator({ destroyOnReturn: false })) {
        said += String(chunk);
        if (said.includes("5 nodes are linked")) break;
      }
      assert.match(said, /5 nodes are linked/);
      const shown = spawnSync("ps", ["--ppid", String(up.pid), "-o", "args="], { encoding: "utf8" });
      if (shown.error === undefined)
        for (const node of nodeNames(1, 2)) assert.match(shown.stdout, new RegExp(`^weir ${node}\\s*$`, "m"));
      const { code, stdout, stderr } = await weir(
        "run",
        "It was",
        "--topology",
        topology,
        ...SECURE,
        "--max-tokens",
        "2",
        "--json",
      );
      assert.equal(code, 0, stderr);
      const { config, parties, generatedIds } = runRecord.parse(JSON.parse(stdout));
      assert.deepEqual([config.alpha, config.m, generatedIds.length], [1, 2, 2]);
      assert.deepEqual(Object.keys(parties), nodeNames(1, 2));
    } finally {
      up.kill("SIGINT");
      await ended;
    }
    assert.equal(up.exitCode, 0);
  });

  it("serves the topology of a preset, which a run then takes from it", { timeout: 120_000 }, async () => {
    const made = await weir("topology", "--preset", "hidden", "--insecure-colocation");
    assert.equal(made.code, 0, made.stderr);
    const given = JSON.parse(made.stdout) as { nodes: Record<string, string> };
    const names = Object.keys(given.nodes);
    assert.deepEqual(names, ["smpc.0", "smpc.1"]);
    const ports = await freePorts(names.length);
    const nodes = Object.fromEntries(names.map((name, at) => [name, `ws://127.0.0.1:${ports[at]}`]));
    const topology = await scratch.write("hidden.json", JSON.stringify({ ...given, nodes }));
    const up = spawn(process.execPath, [WEIR, "up", "--topology", topology], { stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(up, "exit");
    try {
      let said = "";
      for await (const chunk of up.stderr.iterator({ destroyOnReturn: false })) {
        said += String(chunk);
        if (said.includes("2 nodes are linked")) break;
      }
      assert.match(said, /2 nodes are linked/);
      const run = await weir("run", "It was", "--topology", topology, "--max-tokens", "2", "--json");
      assert.equal(run.code, 0, run.stderr);
      const { config, parties } = runRecord.parse(JSON.parse(run.stdout));
      assert.deepEqual([config.preset, config.placement], ["hidden", "all=delegated"]);
      assert.deepEqual(Object.keys(parties), ["smpc.0", "smpc.1"]);
      const hybrid = await weir("run", "It was", "--topology", topology, "--preset", "hybrid");
      assert.match(
        hybrid.stderr,
        /^weir: --preset hybrid: expected no layer in Cascade with .*hidden\.json, which has SMPC parties alone, got first:1=smpc; run --preset hidden, or/m,
      );
      assert.equal(hybrid.code, 1);
    } finally {
      up.kill("SIGINT");
      await ended;
    }
  });

  it("refuses a preset on a topology without SMPC parties, and says what writes one", async () => {
    const [topology] = await topologyOf("clear.json", "ws", 1, 1);
    const { code, stderr } = await weir("run", "It was", "--topology", topology, "--preset", "hidden");
    assert.match(
      stderr,
      /^weir: --preset hidden: expected no layer on shares with .*clear\.json, which has no SMPC parties, got all=delegated; weir topology --preset hidden --hosts A,B writes one that has$/m,
    );
    assert.equal(code, 1);
  });

  it("names ports that are in use before it starts anything, and the flag that changes them", async () => {
    const [topology, ports] = await topologyOf("taken.json", "ws", 2, 1);
    const server = createServer().listen(ports[1], "127.0.0.1");
    await once(server, "listening");
    try {
      const { code, stdout, stderr } = await weir("up", "--topology", topology);
      assert.equal(
        stderr,
        `weir: --topology ${topology}: expected free ports, got ${ports[1]} (comp.1) in use; stop the other processes, or take other ports: weir topology --port\n`,
      );
      assert.deepEqual([code, stdout], [1, ""]);
    } finally {
      server.close();
    }
  });

  // Between the look at the ports and the start of the nodes another program may take one; then all nodes fail at about the same time.
  it("ends without a stack where every node finds its port in use", async () => {
    const names = nodeNames(1, 3);
    const ports = await freePorts(names.length);
    const servers = ports.map((port) => createServer().listen(port, "127.0.0.1"));
    await Promise.all(servers.map((server) => once(server, "listening")));
    const addresses = Object.fromEntries(names.map((name, at) => [name, `ws://127.0.0.1:${ports[at]}`]));
    const script = `
      import { startNodeProcesses } from ${JSON.stringify(new URL("../../protocols/fusion/node/node-processes.ts", import.meta.url).href)};
      import { DEFAULT_MODEL } from ${JSON.stringify(new URL("../../protocols/fusion/deployment/open-deployment.ts", import.meta.url).href)};
      const shape = { alpha: 1, beta: 3, model: DEFAULT_MODEL, viewsFolder: null, head: false };
      await startNodeProcesses({ ...shape, addresses: ${JSON.stringify(addresses)} }).catch((error) => console.log(error.message));`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
      cwd: path.resolve(import.meta.dirname, "../.."),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [said, errors] = ["", ""];
    child.stdout.on("data", (chunk) => (said += String(chunk)));
    child.stderr.on("data", (chunk) => (errors += String(chunk)));
    try {
      await once(child, "close");
      assert.match(
        said,
        /^(comp|attn)\.[\d.]+: listen on ws:.*: expected a free port, got one in use; stop .*--port$/m,
      );
      assert.equal(errors, "");
    } finally {
      for (const server of servers) server.close();
    }
  });
});
