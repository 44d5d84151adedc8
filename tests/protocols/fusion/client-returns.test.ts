/** Clients come and go: a client that is killed, or gives up a session, leaves nodes that the next one can use. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, it } from "node:test";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { DeadlineError } from "../../../protocols/wire/errors.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { startNodeProcesses } from "../../../protocols/fusion/node/node-processes.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { weir } from "../../cli/weir-command.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { describeSession } from "../cascade/whole-model.ts";

const WEIR = path.resolve(import.meta.dirname, "../../../cli/weir.mjs");
const PROMPT = ["--alpha", "2", "--prompt", "The river ran past the mill, and the"];

describe("nodes whose client is killed in the middle of a generation", async () => {
  const scratch = await scratchFolder();

  it("answer the next client as if nothing had been, and again", async () => {
    const shape = { alpha: 2, beta: 2 };
    const nodes = await startNodeProcesses({ ...shape, model: DEFAULT_MODEL, viewsFolder: null, head: false });
    try {
      await nodes.join();
      const topology = await scratch.write("topology.json", JSON.stringify({ ...shape, nodes: nodes.addresses }));
      const idsOf = async (...flags: readonly string[]): Promise<unknown> => {
        const { stdout, stderr } = await weir("run", "--json", ...PROMPT, "--max-tokens", "8", ...flags);
        assert.equal(stderr, "");
        return (JSON.parse(stdout) as { generatedIds: unknown }).generatedIds;
      };
      const expected = await idsOf("--place", "memory");
      for (let time = 0; time < 2; time++) {
        const victim = spawn(
          process.execPath,
          [WEIR, "run", ...PROMPT, "--max-tokens", "400", "--topology", topology],
          {
            stdio: ["ignore", "pipe", "inherit"],
          },
        );
        const ended = once(victim, "exit");
        await once(victim.stdout, "data"); // its first token
        victim.kill("SIGKILL");
        assert.deepEqual(await ended, [null, "SIGKILL"], "expected it to be in the middle of its generation");
        assert.deepEqual(await idsOf("--topology", topology), expected);
      }
      for (const pid of nodes.pids.values()) process.kill(pid, 0); // throws where it is gone
    } finally {
      await nodes.close();
    }
  });
});

describe("a session that its client gives up", () => {
  const model = randomModel({
    seed: 9,
    layers: 2,
    kvHeads: 1,
    group: 2,
    headDim: 2,
  });
  const rule: ShardingRule = { rule: "round-robin", parts: 2 };
  const ids = randomIds(5, 7);
  const description = describeSession(model, { r: rule, s: rule }, ids.length, { wire: "float64", maxNewTokens: 6 });

  for (const sockets of [false, true]) {
    it(`ends alone: one beside it goes on, and the next begins (${sockets ? "sockets" : "memory"})`, async () => {
      const engine = await referenceEngine(model);
      const deployment = await inProcessDeployment(model, engine, { alpha: 2, beta: 2 }, { sockets });
      const client = new Client(deployment.client, model, deployment.nodes);
      const tokensOf = async (session: Awaited<ReturnType<Client["open"]>>): Promise<number[]> => {
        const tokens: number[] = [];
        for await (const token of generate(session, engine, ids, GREEDY, new Set())) tokens.push(token);
        await session.close();
        return tokens;
      };
      const expected = await tokensOf(await client.open(description));
      assert.equal(expected.length, 6);

      const beside = await client.open(description);
      const given = await client.open(description);
      const besideTokens = tokensOf(beside);
      await given.step(0, ids);
      const pending = given.step(1, [expected[0]]);
      pending.catch(() => {}); // whether it was in time or not is a matter of luck
      await given.abort("the person went home");
      assert.deepEqual(await besideTokens, expected);
      await assert.rejects(given.step(2, [expected[1]]), /the person went home|expected an open session/);
      assert.deepEqual(await tokensOf(await client.open(description)), expected);
      await deployment.close();
    });
  }

  it("tells the nodes a cause that the wire named, and of its own computing no word", async () => {
    const engine = await referenceEngine(model);
    const deployment = await inProcessDeployment(model, engine, { alpha: 2, beta: 2 });
    const told: string[] = [];
    const overheard = new Proxy(deployment.client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "sendControl") return value.bind(target) as unknown;
        return (peer: string, message: { type: string; reason?: string }) => {
          if (message.type === "session-abort") told.push(message.reason!);
          return target.sendControl(peer, message);
        };
      },
    });
    const client = new Client(overheard, model, deployment.nodes);
    for (const [error, reason] of [
      [new Error("token 1234: expected one that can be said"), /^it could not go on; its own output says why$/],
      [new RangeError("row 3: expected a number, got 0.125"), /^it could not go on; its own output says why$/],
      [new DeadlineError("comp.1", "comp.1: expected rows within 5 ms"), /^comp\.1: expected rows within 5 ms$/],
    ] as const) {
      told.length = 0;
      await (await client.open(description)).giveUp(error);
      assert.equal(told.length, deployment.nodes.length);
      for (const each of told) assert.match(each, reason);
    }
    await deployment.close();
  });

  it("names the party that says that a session can't go on, whatever party it names", async () => {
    const engine = await referenceEngine(model);
    const endpoints = new Map<string, Endpoint>();
    const wrap = (endpoint: Endpoint): Endpoint => {
      endpoints.set(endpoint.party, endpoint);
      return endpoint;
    };
    const deployment = await inProcessDeployment(model, engine, { alpha: 2, beta: 2 }, { wrap });
    const client = new Client(deployment.client, model, deployment.nodes);
    const session = await client.open(description);
    const liar = endpoints.get("comp.0")!;
    const message = { type: "session-abort", session: session.number, party: "comp.1", reason: "I computed wrong" };
    await liar.sendControl("client", message);
    await assert.rejects(session.step(0, ids), { message: "comp.0: I computed wrong" });
    await deployment.close();
  });
});
