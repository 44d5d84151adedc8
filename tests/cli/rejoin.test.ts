/** Nodes that die and are started again, under a topology: the others stay, links come back, and the next client is served. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { linkDirection } from "../../protocols/fusion/deployment/deployment.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { freePorts } from "./free-ports.ts";
import { WEIR, weir, type Finished } from "./weir-command.ts";

const PARTIES = ["comp.0", "attn.0.0", "smpc.0", "smpc.1"] as const;
type Party = (typeof PARTIES)[number];
/** A bound against hanging, not a measurement. */
const LONGEST_MS = 60_000;

describe("nodes of a topology", async () => {
  const scratch = await scratchFolder();
  const ports = await freePorts(PARTIES.length);
  const topology = await scratch.write(
    "a topology.json",
    JSON.stringify({
      alpha: 1,
      beta: 1,
      parties: 2,
      insecureColocation: true,
      nodes: Object.fromEntries(PARTIES.map((party, at) => [party, `ws://127.0.0.1:${ports[at]}`])),
    }),
  );
  const nodes = new Map<Party, NodeCommand>();
  const start = (party: Party, ...flags: string[]): NodeCommand => {
    const node = new NodeCommand(party, topology, flags);
    nodes.set(party, node);
    return node;
  };
  after(async () => {
    for (const node of nodes.values()) await node.kill();
  });
  const RUN = ["run", "--topology", topology, "--alpha", "1", "--smpc-layers", "0", "--insecure-colocation"];
  const run = (...flags: string[]): Promise<Finished> => weir(...RUN, ...flags);
  /** A run that goes on until it is ended. */
  const startLong = () =>
    spawn(process.execPath, [WEIR, ...RUN, "--prompt", "The river ran", "--max-tokens", "400"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  const generate = async (): Promise<unknown> => {
    const { code, stdout, stderr } = await run("--prompt", "The river ran", "--max-tokens", "6", "--json");
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { generatedIds: unknown }).generatedIds;
  };
  let expected: unknown;

  it("serve a client", async () => {
    await Promise.all(PARTIES.map((party) => start(party).says(/is linked to all its peers/)));
    expected = await generate();
  });

  for (const victim of ["smpc.0", "attn.0.0", "comp.0"] as const)
    it(`serve the next one after ${victim} was killed and started again, the others untouched`, async () => {
      const others = PARTIES.filter((party) => party !== victim).map((party) => nodes.get(party)!);
      await nodes.get(victim)!.kill();
      // Who had a link says that it is gone, and why.
      const lost = others.filter(({ party }) => linkDirection(party, victim) !== null);
      await Promise.all(
        lost.map((node) => node.says(new RegExp(`lost ${victim}: peer ${victim}: expected a goodbye`))),
      );
      await start(victim).says(/is linked to all its peers/);
      assert.deepEqual(await generate(), expected);
      for (const node of others) assert.equal(node.exitCode, null, node.text);
    });

  it("end a session whose party is killed, by its name, and serve the next client", async () => {
    const generating = startLong();
    let stderr = "";
    generating.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = once(generating, "exit");
    await once(generating.stdout, "data"); // its first token
    await nodes.get("smpc.1")!.kill();
    const [code] = (await ended) as [number];
    assert.equal(code, 1);
    assert.match(stderr, /smpc\.1/);
    await start("smpc.1").says(/is linked to all its peers/);
    assert.deepEqual(await generate(), expected);
  });

  it("keep a second client waiting, or tell it that they are busy; never that versions differ", async () => {
    const first = generate();
    const second = generate();
    assert.deepEqual(await Promise.all([first, second]), [expected, expected]);
    const busy = startLong();
    await once(busy.stdout, "data");
    const refused = await run("--prompt", "The river", "--wait-seconds", "0");
    busy.kill();
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /comp\.0: expected one link with client, got a second while the first stands/);
  });

  it("refuse a node of another model without an end to those that run", async () => {
    const victim = nodes.get("attn.0.0")!;
    await victim.kill();
    const wrong = start("attn.0.0", "--model", "tests/fixtures/models/llama-gqa");
    await wrong.ended;
    assert.notEqual(wrong.exitCode, 0);
    assert.match(wrong.text, /model: expected /);
    await nodes.get("comp.0")!.says(/refused a link: handshake of comp\.0 with attn\.0\.0: model: expected/);
    await start("attn.0.0").says(/is linked to all its peers/);
    assert.deepEqual(await generate(), expected);
  });
});

// Helpers

/** One `weir node` and what it said on stderr. */
class NodeCommand {
  readonly party: Party;
  readonly ended: Promise<unknown>;
  text = "";
  readonly #child: ChildProcess;

  constructor(party: Party, topology: string, flags: readonly string[]) {
    this.party = party;
    this.#child = spawn(process.execPath, [WEIR, "node", "--party", party, "--topology", topology, ...flags], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.text += text;
    });
    this.ended = once(this.#child, "exit");
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Waits until it has said so. */
  async says(what: RegExp): Promise<void> {
    const giveUpAt = Date.now() + LONGEST_MS;
    while (!what.test(this.text)) {
      if (this.exitCode !== null || Date.now() > giveUpAt)
        throw new Error(`${this.party}: expected it to say ${what}, got "${this.text}" (exit code ${this.exitCode})`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async kill(): Promise<void> {
    if (this.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}
