/** Masked merges in whole sessions: several at a time on the same nodes, over sockets, beside layers under SMPC, and where links are missing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GREEDY } from "../../../layers/sampling.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client, type ClientSession } from "../../../protocols/fusion/client/client.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import {
  inProcessDeployment,
  type InProcessOptions,
} from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { joinTopology } from "../../../protocols/fusion/deployment/remote-deployment.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { sessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { makeTopology } from "../../../protocols/fusion/deployment/topology.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { argmax } from "../../layers/golden-models.ts";
import { randomIds } from "../cascade/random-model.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { fourLayers, SMPC_BOUND, walkError, withHybrid } from "./smpc-session-run.ts";

const MODEL = fourLayers();
const R: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 3 };
const STEPS = 5;
/** A word of the merge is off by less than 2^-20, layers enlarge that by less than 100. */
const MASKED_BOUND = 1e-4;

describe("a masked session", async () => {
  const scratch = await scratchFolder();
  const engine = await referenceEngine(MODEL);
  const mergeScales = await mergeScalesOf(MODEL);

  /** A deployment whose AttnNodes are linked, and a client of it. */
  async function deployed(options: InProcessOptions = {}) {
    const deployment = await inProcessDeployment(MODEL, engine, { alpha: 2, beta: 3, attnLinks: true }, options);
    return { deployment, client: new Client(deployment.client, MODEL, deployment.nodes) };
  }

  const walk = (session: ClientSession, ids: readonly number[]): Promise<number> =>
    walkError(session, MODEL, engine, ids, STEPS);

  const described = (promptLength: number, masked = true) =>
    describeSession(MODEL, { r: R, s: S }, promptLength, {
      wire: "float64",
      maxNewTokens: STEPS,
      mergeScales: masked ? mergeScales : null,
    });

  it("runs beside others on the same nodes, masked or plain, each with the plain rows", async () => {
    const { deployment, client } = await deployed();
    try {
      const texts = [randomIds(1, 9), randomIds(2, 9), randomIds(3, 6)];
      const sessions = await Promise.all(
        texts.map((ids, at) => client.open(described(ids.length - STEPS + 1, at !== 2))),
      );
      const errors = await Promise.all(sessions.map((session, at) => walk(session, texts[at])));
      for (const session of sessions) await session.close();
      for (const error of errors) assert.ok(error < MASKED_BOUND, errors.join());
      // The first two took words: they are not the float rows to the last bit.
      assert.ok(errors[0] > errors[2] && errors[1] > errors[2], errors.join());
    } finally {
      await deployment.close();
    }
  });

  it("gives the plain rows and tokens over sockets, at the declared cost", async () => {
    const { deployment, client } = await deployed({ sockets: true });
    try {
      const ids = randomIds(4, 9);
      const walked = await client.open(described(ids.length - STEPS + 1));
      const error = await walk(walked, ids);
      await walked.close();
      assert.ok(error < MASKED_BOUND, `${error}`);
      const session = await client.open(described(ids.length));
      const tokens: number[] = [];
      for await (const token of generate(session, engine, ids, GREEDY, new Set())) tokens.push(token);
      const reports = await session.close();
      assert.deepEqual(tokens, await plainTokens(ids));
      const costs = await sessionCosts(deployment, session, reports, MODEL, STEPS);
      assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
      assert.equal(costs.rounds, costs.expectedRounds);
      assert.ok(costs.phases.find(({ phase }) => phase === "scale")!.payloadBytes > 0);
    } finally {
      await deployment.close();
    }
  });

  for (const layers of [[0], [1, 3]])
    it(`gives the plain rows with layer ${layers.join(" and ")} under SMPC, at the declared cost`, async () => {
      const ids = randomIds(3, 9);
      const setting = { model: MODEL, engine, r: R, s: S, layers, more: { mergeScales, maxNewTokens: STEPS } };
      await withHybrid(setting, ids.length - STEPS + 1, async (session, deployment) => {
        const error = await walk(session, ids);
        assert.ok(error < SMPC_BOUND, `expected within ${SMPC_BOUND}, got ${error}`);
        const reports = await session.close();
        assert.deepEqual([...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)], []);
        const costs = await sessionCosts(deployment, session, reports, MODEL, STEPS);
        for (const phase of costs.phases) assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
        assert.equal(costs.rounds, costs.expectedRounds);
        for (const { party, exposure } of reports) {
          assert.equal(exposure.kinds.partial, undefined, party);
          assert.equal(exposure.kinds.unscheduled, undefined, party);
        }
      });
    });

  it("is refused on a topology whose AttnNodes aren't linked, before any node is called", async () => {
    const shape = { alpha: 2, beta: 2 };
    const nowhere = makeTopology(2, 2, ["127.0.0.1"], 1); // nobody listens on ports 1 to 6
    const config = async (more: object) =>
      parseRunConfig({
        alpha: 2,
        merge: "masked",
        topology: await scratch.write("topology.json", JSON.stringify(more)),
      });
    for (const topology of [nowhere, { ...nowhere, attnLinks: false }])
      await assert.rejects(
        joinTopology(await config(topology), shape, MODEL.fingerprint, () => {}),
        /^Error: merge: expected a topology whose AttnNodes are linked \(attnLinks\) for masked, got .*topology\.json without; weir topology --attn-links makes one$/,
      );
  });

  it("ends by name where AttnNodes aren't linked", async () => {
    const deployment = await inProcessDeployment(MODEL, engine, { alpha: 2, beta: 3 });
    const client = new Client(deployment.client, MODEL, deployment.nodes);
    await assert.rejects(async () => {
      const session = await client.open(described(9));
      await session.step(0, randomIds(1, 9));
    }, /^Error: attn\.\d\.\d is lost: .*: expected attn\.\d\.\d to be the one that dials/);
    await deployment.close();
  });

  /** Greedy tokens by recomputing. */
  async function plainTokens(prompt: readonly number[]): Promise<number[]> {
    const ids = [...prompt];
    for (let step = 0; step < STEPS; step++) {
      const { logits } = await plainForward(MODEL, ids);
      ids.push(argmax(logits!.data.slice(-MODEL.spec.vocabulary)));
    }
    return ids.slice(prompt.length);
  }
});
