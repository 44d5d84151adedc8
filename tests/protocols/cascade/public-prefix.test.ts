/** Sessions whose prompt begins with public tokens: the rows of the plain model, at the declared cost, and nothing sent for the public ones. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { prefixKeysAndValues } from "../../../layers/prefix/prefix-keys-and-values.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { Model } from "../../../layers/model.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { sessionCosts, type SessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { maxError, openGolden } from "../../layers/golden-models.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { anyRule } from "./arbitraries.ts";
import { randomIds, randomModel, type RandomModelOptions } from "./random-model.ts";
import { describeSession } from "./whole-model.ts";

/** Rows of these models stay below about 100; the merge rounds in another order than the plain softmax. */
const FLOAT64_BOUND = 1e-10;
/** A masked merge's words: masked-merge.test.ts. */
const MASKED_BOUND = 1e-4;
/** Of float32, on rows of up to some ten. */
const FLOAT32_BOUND = 1e-3;

const anyModel: fc.Arbitrary<RandomModelOptions> = fc.record({
  seed: fc.nat(1000),
  layers: fc.integer({ min: 1, max: 3 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  headDim: fc.constantFrom(2, 4),
  causal: fc.constant(true),
  window: fc.option(fc.integer({ min: 1, max: 9 })),
  softCap: fc.option(fc.constantFrom(1, 30)),
  sharpness: fc.constantFrom(1, 10),
});
/** Tokens of the prompt, and how many of them are public: none to all but one. */
const anyLengths = fc
  .integer({ min: 1, max: 20 })
  .chain((length) => fc.record({ length: fc.constant(length), prefix: fc.integer({ min: 0, max: length - 1 }) }));
const ROUND_ROBIN: ShardingRule = { rule: "round-robin", parts: 3 };

describe("a public prefix", async () => {
  const scratch = await scratchFolder();
  process.env.WEIR_CACHE = path.join(scratch.path, "cache");

  it("leaves the rows of the secret tokens as they are, for any partitions, masks and lengths, prompt and generation", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyModel,
        anyRule,
        anyRule,
        anyLengths,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (options, r, s, { length, prefix }, steps, wanted) => {
          const model = randomModel(options);
          const engine = await referenceEngine(model);
          const masked = wanted && shardingFrom(s).parts > 1;
          const ids = randomIds(options.seed, length + steps - 1);
          const { error, costs } = await walk({ model, engine, r, s, ids, prefix, steps, masked });
          assert.ok(error < (masked ? MASKED_BOUND : FLOAT64_BOUND), `${error}`);
          for (const phase of costs.phases) {
            assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
            assert.equal(phase.messages, phase.expectedMessages, phase.phase);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  for (const name of ["mistral-window", "gemma2", "llama-gqa", "gpt2", "qwen3"])
    it(`leaves the rows of ${name} as they are through ONNX Runtime`, async () => {
      const { model, golden } = await openGolden(name);
      const engine = await onnxEngine(model, { threads: 1 });
      const ids = golden.ids.slice(0, 14);
      for (const prefix of [1, 5, 10]) {
        const setting = { model, engine, r: ROUND_ROBIN, s: ROUND_ROBIN, ids, prefix, steps: 4, masked: false };
        const { error } = await walk(setting);
        assert.ok(error < FLOAT32_BOUND, `${prefix} public tokens: ${error}`);
      }
      await engine.close();
      await model.close();
    });

  it("costs what its secret rows cost, and nobody sees more than those", async () => {
    const model = randomModel({ seed: 3, layers: 2, kvHeads: 1, group: 2, headDim: 4 });
    const engine = await referenceEngine(model);
    const setting = { model, engine, r: ROUND_ROBIN, s: ROUND_ROBIN, steps: 1, masked: false };
    const without = await walk({ ...setting, ids: randomIds(1, 9), prefix: 0 });
    const [first, other] = await Promise.all(
      [9, 18].map((prefix) => walk({ ...setting, ids: randomIds(1, prefix + 9), prefix })),
    );
    assert.equal(first.costs.payloadBytes, other.costs.payloadBytes);
    // The first rows of a causal prompt ask fewer AttnNodes; behind a prefix all of them.
    assert.ok(first.costs.payloadBytes >= without.costs.payloadBytes);
    for (const { exposure, party } of first.reports) {
      const seen = [...exposure.positions, ...Object.values(exposure.kinds).flatMap(({ positions }) => positions)];
      assert.deepEqual(
        seen.filter((position) => position < 9),
        [],
        party,
      );
    }
  });

  it("hides no V row: one secret key beside public ones is given away", async () => {
    const model = randomModel({ seed: 3, layers: 1, kvHeads: 1, group: 1, headDim: 4 });
    const engine = await referenceEngine(model);
    const [r, s]: ShardingRule[] = [
      { rule: "list", parts: 2, owners: [0, 0, 0, 0, 1] },
      { rule: "list", parts: 2, owners: [1, 1, 1, 0, 1] },
    ];
    const { reports } = await walk({ model, engine, r, s, ids: randomIds(1, 5), prefix: 3, steps: 1, masked: false });
    const seen = reports.find(({ party }) => party === "comp.1")!.exposure.kinds;
    // Row 4 sees the secret key 3 alone in shard 0, and in shard 1 its own among three public ones.
    assert.deepEqual(seen.revealed?.positions, [3, 4]);
  });

  it("is refused for a model that isn't causal, ids that it lacks, and too many for its context", async () => {
    const causal = randomModel({ seed: 1, layers: 1, kvHeads: 1, group: 1, headDim: 2 });
    const refused = async (model: Model, publicPrefix: number[], reason: RegExp): Promise<void> => {
      const engine = await referenceEngine(model);
      const deployment = await inProcessDeployment(model, engine, { alpha: 3, beta: 3 });
      const shardings = { r: ROUND_ROBIN, s: ROUND_ROBIN };
      await assert.rejects(
        new Client(deployment.client, model, deployment.nodes).open(
          describeSession(model, shardings, 2, { wire: "float64", publicPrefix }),
        ),
        reason,
      );
      await deployment.close();
      if (!reason.source.includes("session")) await assert.rejects(prefixKeysAndValues(model, publicPrefix), reason);
    };
    await refused(
      randomModel({ seed: 1, layers: 1, kvHeads: 1, group: 1, headDim: 2, causal: false }),
      [1],
      /^Error: public prefix: expected a causal model, got llama/,
    );
    await refused(causal, [3, 17], /^RangeError: public prefix: expected token ids below 17, got 17$/);
    await refused(
      causal,
      Array.from({ length: 255 }, () => 1),
      /^Error: session: expected at most 256 positions/,
    );
  });
});

interface Walk {
  readonly model: Model;
  readonly engine: StageEngine;
  readonly r: ShardingRule;
  readonly s: ShardingRule;
  /** Of all positions: the first `prefix` are public, the last `steps - 1` come one by one. */
  readonly ids: readonly number[];
  readonly prefix: number;
  readonly steps: number;
  readonly masked: boolean;
}

/** A session, and the largest error of the last row of each step beside the plain model on all tokens. */
async function walk({ model, engine, r, s, ids, prefix, steps, masked }: Walk): Promise<{
  readonly error: number;
  readonly costs: SessionCosts;
  readonly reports: readonly PartyReport[];
}> {
  const shape = { alpha: shardingFrom(r).parts, beta: shardingFrom(s).parts, attnLinks: masked };
  const deployment = await inProcessDeployment(model, engine, shape);
  try {
    const length = ids.length - steps + 1;
    const description = describeSession(model, { r, s }, length - prefix, {
      wire: engine.word,
      maxNewTokens: steps,
      publicPrefix: ids.slice(0, prefix),
      mergeScales: masked ? await mergeScalesOf(model) : null,
    });
    const session = await new Client(deployment.client, model, deployment.nodes).open(description);
    let error = 0;
    for (let step = 0; step < steps; step++) {
      const end = length + step;
      const result = await session.step(step, step === 0 ? ids.slice(prefix, end) : [ids[end - 1]]);
      assert.ok("rows" in result);
      const { finished } = await engine.head(result.rows);
      const { hidden } = await plainForward(model, ids.slice(0, end));
      error = Math.max(error, maxError(finished.data, hidden.at(-1)!.data.slice(-model.spec.width)));
    }
    const reports = await session.close();
    return { error, reports, costs: await sessionCosts(deployment, session, reports, model, steps) };
  } finally {
    await deployment.close();
  }
}
