import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { evaluateCost } from "../../../protocols/cost.ts";
import { expectedCost, type ExpectedCost } from "../../../protocols/fusion/record/expected-cost.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { networkTotals, type NetworkTotals } from "../../../protocols/wire/counters.ts";
import type { SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import { anyRule } from "./arbitraries.ts";
import { randomIds, randomModel } from "./random-model.ts";
import { describeSession, shardedForward, shardedGreedy } from "./whole-model.ts";

const PHASES = ["input", "pre-pass", "scale", "attention-pass", "output"] as const;

describe("declared costs", () => {
  it("equal the counters, phase by phase, for any shardings, masks and words", async () => {
    const words = fc.constantFrom("float64" as const, "float32" as const, "float16" as const);
    await fc.assert(
      fc.asyncProperty(
        anyRule,
        anyRule,
        fc.integer({ min: 1, max: 20 }),
        fc.nat(5),
        fc.boolean(),
        fc.option(fc.integer({ min: 1, max: 6 })),
        words,
        fc.boolean(),
        async (r, s, length, steps, causal, window, wire, wanted) => {
          const masked = wanted && shardingFrom(s).parts > 1;
          const run = await measured(r, s, length, causal ? steps : 0, { causal, window, wire, masked });
          const { totals, expected } = run;
          for (const phase of PHASES) {
            const counted = totals.phases[phase] ?? { payloadBytes: 0, messages: 0 };
            assert.equal(counted.payloadBytes, expected[phase].payloadBytes, phase);
            assert.equal(counted.messages, expected[phase].messages, phase);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("give the rounds of the longest chain where every layer has work", async () => {
    for (const steps of [0, 1, 4]) {
      const r: ShardingRule = { rule: "clusters", parts: 3, c: 2 };
      const { totals, expected } = await measured(r, r, 12, steps, { causal: true, window: null, wire: "float32" });
      const rounds = Object.values(expected).reduce((sum, cost) => sum + cost.rounds, 0);
      assert.deepEqual(Object.values(totals.rounds), [rounds]);
      // ids, two a layer, the last row; a step each
      assert.equal(rounds, Math.max(1, steps) * (2 * 2 + 2));
    }
  });

  it("give a round more a layer with a masked merge, and its payload", async () => {
    const r: ShardingRule = { rule: "clusters", parts: 3, c: 2 };
    const more = { causal: false, window: null, wire: "float32", masked: true } as const;
    const { totals, expected, model } = await measured(r, r, 12, 0, more);
    const rounds = Object.values(expected).reduce((sum, cost) => sum + cost.rounds, 0);
    assert.deepEqual(Object.values(totals.rounds), [rounds]);
    assert.equal(rounds, 3 * 2 + 2);
    const { heads, headDim, layers } = model.spec;
    assert.equal(totals.phases["attention-pass"].payloadBytes, layers * 4 * 3 * 12 * heads * headDim);
    // A scale to each of two others, and a seed for each of three pairs of each of three query shards.
    assert.equal(totals.phases.scale.payloadBytes, layers * 4 * 3 * 2 * 12 * heads + 9 * 32);
  });

  it("are the paper's formula b·N·(2d + 2 d_kv + 2H) words a layer where no pair is idle", async () => {
    for (const [parts, m] of [
      [1, 1],
      [2, 1],
      [4, 1],
      [4, 2],
    ] as const) {
      const r: ShardingRule = { rule: "clusters", parts, c: 2 };
      const s: ShardingRule = m === 1 ? r : { rule: "split", m, of: r };
      const { totals, model } = await measured(r, s, 32, 0, { causal: false, window: null, wire: "float32" });
      const { heads, kvHeads, headDim, layers } = model.spec;
      const words = parts * m * 32 * (2 * heads * headDim + 2 * kvHeads * headDim + 2 * heads);
      assert.equal(
        totals.phases["pre-pass"].payloadBytes + totals.phases["attention-pass"].payloadBytes,
        layers * 4 * words,
      );
    }
  });

  it("refuse an expression with an unknown quantity", () => {
    assert.throws(() => evaluateCost("N * unknown", { N: 2 }), /unknown/i);
  });
});

// Helpers

async function measured(
  r: ShardingRule,
  s: ShardingRule,
  length: number,
  steps: number,
  {
    causal,
    window,
    wire,
    masked = false,
  }: { causal: boolean; window: number | null; wire: SessionDescription["wire"]; masked?: boolean },
): Promise<{ totals: NetworkTotals; expected: ExpectedCost; model: ReturnType<typeof randomModel> }> {
  const model = randomModel({
    seed: 3,
    layers: 2,
    kvHeads: 1,
    group: 2,
    headDim: 2,
    causal,
    window,
  });
  const engine = zeroEngine(model);
  const deployment = await inProcessDeployment(model, engine, {
    alpha: shardingFrom(r).parts,
    beta: shardingFrom(s).parts,
    attnLinks: masked,
  });
  const description = describeSession(model, { r, s }, length, {
    wire,
    mergeScales: masked ? await mergeScalesOf(model) : null,
    maxNewTokens: steps,
    ...(steps === 0 ? { output: "all" } : {}),
  });
  const ids = randomIds(1, length);
  const { reports } =
    steps === 0
      ? await shardedForward(model, engine, deployment, description, ids)
      : await shardedGreedy(model, engine, deployment, description, ids);
  const totals = networkTotals([...reports.map(({ counters }) => counters), deployment.client.counters.snapshot()]);
  await deployment.close();
  return { totals, expected: expectedCost(description, model, Math.max(1, steps)), model };
}

/** Zeros of the right shapes: what is sent, and how much, does not depend on the values. */
function zeroEngine({ spec, program }: ReturnType<typeof randomModel>): StageEngine {
  const rows = (count: number, columns: number) =>
    Promise.resolve({ data: new Float32Array(count * columns), shape: [count, columns] });
  const [dq, dkv] = [spec.heads * spec.headDim, spec.kvHeads * spec.headDim];
  return {
    spec,
    word: "float32",
    attention: (layer) => program.attention(spec, layer),
    embed: (ids) => rows(ids.length, spec.width),
    pre: async (_layer, x) => ({
      q: await rows(x.shape[0], dq),
      k: await rows(x.shape[0], dkv),
      v: await rows(x.shape[0], dkv),
    }),
    attend: async (_layer, q) => ({
      u: await rows(q.shape[0], dq),
      m: await rows(q.shape[0], spec.heads),
      e: await rows(q.shape[0], spec.heads),
    }),
    post: (_layer, x) => rows(x.shape[0], spec.width),
    head: async (x) => ({ finished: x, logits: await rows(x.shape[0], spec.vocabulary) }),
    close: () => Promise.resolve(),
  };
}
