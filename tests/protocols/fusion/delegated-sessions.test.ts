/** Sessions in which the client evaluates gates: the plain model's rows and tokens at the declared cost, wherever the layers are placed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import { sessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { layersOnShares } from "../../../protocols/fusion/session/layer-placement.ts";
import { isDelegated } from "../../../protocols/smpc/lowering/evaluators.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { argmax, maxError } from "../../layers/golden-models.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds } from "../cascade/random-model.ts";
import {
  fourLayers,
  hybridGreedy,
  rangesOfAll,
  SMPC_BOUND,
  walkError,
  withHybrid,
  type HybridSetting,
} from "./smpc-session-run.ts";

const MODEL = fourLayers();
const R: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 2 };
const IDS = randomIds(3, 9);
/** Where the parties evaluate nothing: products are off by parts of their norms. */
const DELEGATED_BOUND = 1e-3;

/** What a placement says beside its layers. */
type Setting = Partial<Omit<HybridSetting, "layers" | "evaluators">>;

/** A placement in the words of a run config. */
const placed = (placement: string): Pick<HybridSetting, "layers" | "evaluators"> =>
  layersOnShares(placement, MODEL.spec.layers);

const boundOf = (placement: string, { head = false, headEvaluator = "parties" }: Setting): number =>
  layersOnShares(placement, MODEL.spec.layers).evaluators.every(isDelegated) && !(head && headEvaluator === "parties")
    ? DELEGATED_BOUND
    : SMPC_BOUND;

const PLACEMENTS: readonly (readonly [placement: string, setting?: Setting])[] = [
  ["0=delegated"],
  ["3=delegated"],
  ["0=delegated; 3=delegated", { parties: 3, dealer: "dealer" }],
  ["1-2=delegated"],
  ["all=delegated"],
  ["all=delegated", { parties: 4, dealer: "dealer" }],
  ["all=delegated", { parties: 3, options: { sockets: true } }],
  ["all=delegated", { head: true, headEvaluator: "client" }],
  ["all=delegated", { head: true }],
  ["3=delegated", { head: true, headEvaluator: "client", options: { sockets: true } }],
  ["0=delegated; 1=smpc; 3=delegated"],
  ["0=smpc; 1=delegated; 3=smpc", { parties: 3, head: true, headEvaluator: "client" }],
  ["all=smpc:attention"],
  ["0=smpc:norm+activation; 2=smpc:attention+norm", { dealer: "dealer", options: { sockets: true } }],
  ["0=smpc:activation; 1=delegated; 2=smpc:norm; 3=smpc", { parties: 3 }],
];

describe("a session in which the client evaluates gates", async () => {
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const mergeScales = await mergeScalesOf(MODEL);
  const common = { model: MODEL, engine, r: R, s: S, ranges } as const;
  const plain = await plainForward(MODEL, IDS);

  for (const [placement, setting = {}] of PLACEMENTS) {
    const { options, ...said } = setting;
    const how = [placement, JSON.stringify(said), ...(options?.sockets ? ["over sockets"] : [])].join(", ");

    it(`gives the plain rows, and costs what is declared: ${how}`, async () => {
      const [prompt, steps, taken] = [IDS.length - 2, 4, 3];
      await withHybrid(
        { ...common, ...placed(placement), ...setting, more: { maxNewTokens: steps } },
        prompt,
        async (session, deployment) => {
          // Three of four steps: what was answered ahead of time for the fourth goes nowhere.
          for (let step = 0; step < taken; step++) {
            const length = prompt + step;
            const result = await session.step(step, step === 0 ? IDS.slice(0, prompt) : [IDS[length - 1]]);
            assert.ok("rows" in result);
            const { rows, logits } = result;
            const truth = await plainForward(MODEL, IDS.slice(0, length));
            const finished = setting.head ? rows : (await engine.head(rows)).finished;
            const error = maxError(finished.data, truth.hidden.at(-1)!.data.slice(-MODEL.spec.width));
            const bound = boundOf(placement, setting);
            assert.ok(error <= bound, `step ${step}: expected rows within ${bound}, got ${error}`);
            assert.ok(error > 0, "expected fixed point, got the float rows");
            assert.equal(logits !== null, setting.head === true);
            if (logits !== null)
              assert.ok(maxError(logits.data, truth.logits!.data.slice(-MODEL.spec.vocabulary)) <= 5 * bound);
          }
          const reports = await session.close();
          assert.deepEqual([...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)], []);
          const costs = await sessionCosts(deployment, session, reports, MODEL, taken);
          for (const phase of costs.phases) {
            assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
            assert.equal(phase.messages, phase.expectedMessages, phase.phase);
          }
          assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
          assert.equal(costs.rounds, costs.expectedRounds);
          for (const phase of ["take", "give"])
            assert.ok(costs.phases.find((each) => each.phase === phase)!.payloadBytes > 0, phase);
        },
      );
    });
  }

  it("generates the plain model's tokens, and ends at a stop token with steps to go", async () => {
    const steps = 6;
    const expected: number[] = [];
    for (let step = 0; step < steps; step++) {
      const { logits } = await plainForward(MODEL, [...IDS, ...expected]);
      expected.push(argmax(logits!.data.subarray(-MODEL.spec.vocabulary)));
    }
    for (const placement of ["all=delegated", "0=delegated; 3=delegated"]) {
      const { tokens } = await hybridGreedy({ ...common, ...placed(placement) }, IDS, steps);
      assert.deepEqual(tokens, expected, placement);
    }
    const stop = expected[2];
    const end = expected.indexOf(stop) + 1;
    await withHybrid(
      { ...common, ...placed("all=delegated"), more: { maxNewTokens: steps } },
      IDS.length,
      async (session, deployment) => {
        const tokens: number[] = [];
        for await (const token of generate(session, engine, IDS, GREEDY, new Set([stop]))) tokens.push(token);
        assert.deepEqual(tokens, expected.slice(0, end));
        const costs = await sessionCosts(deployment, session, await session.close(), MODEL, end);
        assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
      },
    );
  });

  it("has a head at a CompNode behind layers in Cascade, and masked merges beside it", async () => {
    const sampling = { temperature: 0, topK: 0, topP: 1, seed: 0 };
    const { tokens } = await hybridGreedy(
      { ...common, ...placed("first:2=delegated"), more: { head: "compnode", sampling, mergeScales } },
      IDS,
      3,
    );
    const { logits } = await plainForward(MODEL, IDS);
    assert.equal(tokens[0], argmax(logits!.data.subarray(-MODEL.spec.vocabulary)));
    await withHybrid(
      { ...common, ...placed("0=delegated; 2=smpc:attention"), more: { maxNewTokens: 3, mergeScales } },
      IDS.length - 2,
      async (session, deployment) => {
        const error = await walkError(session, MODEL, engine, IDS, 3);
        assert.ok(error <= SMPC_BOUND, `expected within ${SMPC_BOUND}, got ${error}`);
        const costs = await sessionCosts(deployment, session, await session.close(), MODEL, 3);
        assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
        assert.ok(costs.phases.find(({ phase }) => phase === "scale")!.payloadBytes > 0);
      },
    );
  });

  it("shows the servers of delegated layers nothing but shares, at one party, and seeds at the others", async () => {
    const { reports } = await hybridGreedy({ ...common, ...placed("all=delegated"), parties: 3 }, IDS, 2);
    const kindsOf = (party: string): string[] =>
      Object.keys(reports.find((report) => report.party === party)!.exposure.kinds);
    assert.deepEqual(kindsOf("smpc.0"), ["masked"]);
    assert.deepEqual(kindsOf("smpc.1"), []);
    assert.deepEqual(kindsOf("smpc.2"), []);
    for (const { party, exposure } of reports)
      if (!party.startsWith("smpc")) assert.deepEqual(exposure.positions, [], party);
  });

  it("is opened with the ranges that the placement makes, whatever lies beside delegated layers", async () => {
    for (const placement of [
      "1=delegated",
      "0=smpc; 1-3=delegated",
      "0-2=delegated; 3=smpc",
      "0=delegated; 1=smpc:attention; 2=delegated",
    ])
      await withHybrid(
        { ...common, ranges: undefined, ...placed(placement), more: { maxNewTokens: 2 } },
        IDS.length - 1,
        async (session) => {
          const error = await walkError(session, MODEL, engine, IDS, 2);
          assert.ok(error <= SMPC_BOUND, `${placement}: expected within ${SMPC_BOUND}, got ${error}`);
          await session.close();
        },
      );
  });

  it("names the party whose answer is cut short", async () => {
    for (const [role, party] of [
      ["given", "smpc.0"],
      ["ahead", "smpc.1"],
    ] as const) {
      const wrap = (endpoint: Endpoint): Endpoint =>
        endpoint.party !== party
          ? endpoint
          : withSend(endpoint, (peer, key, tensor) =>
              key.role === role && key.part === 1
                ? endpoint.send(peer, key, { data: tensor.data.slice(1), shape: [1, tensor.data.length - 1] })
                : endpoint.send(peer, key, tensor),
            );
      await assert.rejects(
        hybridGreedy({ ...common, ...placed("all=delegated"), options: { wrap } }, IDS, 2),
        new RegExp(
          `message ${role} of layer 0, step 0, part 1, session \\d+ from ${party}: expected \\[1, \\d+\\] uint8`,
        ),
      );
    }
  });

  it("is as good as its plain rows: the largest of a whole prompt", async () => {
    const rows = await withHybrid(
      { ...common, ...placed("all=delegated"), more: { output: "all" } },
      IDS.length,
      async (session) => {
        const result = await session.step(0, IDS);
        assert.ok("rows" in result);
        await session.close();
        return result.rows;
      },
    );
    const { finished } = await engine.head(rows);
    const error = maxError(finished.data, plain.hidden.at(-1)!.data);
    assert.ok(error <= DELEGATED_BOUND && error > 0, `expected within ${DELEGATED_BOUND}, got ${error}`);
  });
});
