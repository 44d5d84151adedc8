import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { GREEDY } from "../../../layers/sampling.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { shardingFrom } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import {
  inProcessDeployment,
  type InProcessOptions,
} from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { maxError } from "../../layers/golden-models.ts";
import { anyRule } from "./arbitraries.ts";
import { withSend } from "./endpoint-with-send.ts";
import { randomIds, randomModel, type RandomModelOptions } from "./random-model.ts";
import { describeSession, shardedForward, shardedGreedy } from "./whole-model.ts";

/** Rows of these models stay below about 100; the merge and the partial sums round in another order than the plain softmax. */
const FLOAT64_BOUND = 1e-10;

const anyModel: fc.Arbitrary<RandomModelOptions> = fc.record({
  seed: fc.nat(1000),
  layers: fc.integer({ min: 1, max: 3 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  headDim: fc.constantFrom(2, 4),
  causal: fc.boolean(),
  window: fc.option(fc.integer({ min: 1, max: 9 })),
  softCap: fc.option(fc.constantFrom(1, 30)),
  // Up to logits of some 1e4 and -1e4.
  sharpness: fc.constantFrom(1, 10, 100),
});

describe("a sharded model in float64", () => {
  it("equals the plain one for any partitions, sizes and masks", async () => {
    await fc.assert(
      fc.asyncProperty(anyModel, anyRule, anyRule, fc.integer({ min: 1, max: 24 }), async (options, r, s, length) => {
        const { sharded, plain } = await both(options, r, s, length);
        assert.ok(maxError(sharded.finished.data, plain.hidden.at(-1)!.data) < FLOAT64_BOUND);
        assert.ok(maxError(sharded.logits!.data, plain.logits!.data) < FLOAT64_BOUND);
      }),
      { numRuns: 60 },
    );
  });

  it("equals the plain one whatever the order in which messages arrive", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        anyModel,
        anyRule,
        anyRule,
        fc.integer({ min: 1, max: 10 }),
        async (scheduler, options, r, s, length) => {
          const wrap = (endpoint: Endpoint): Endpoint =>
            withSend(endpoint, (...message) =>
              scheduler.schedule(Promise.resolve()).then(() => endpoint.send(...message)),
            );
          const { sharded, plain } = await scheduler.waitFor(both({ ...options, layers: 2 }, r, s, length, { wrap }));
          assert.ok(maxError(sharded.finished.data, plain.hidden.at(-1)!.data) < FLOAT64_BOUND);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("decodes with caches to the rows that recomputing gives", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyModel,
        anyRule,
        anyRule,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        async (options, r, s, promptLength, steps) => {
          const model = randomModel({ ...options, causal: true });
          const engine = await referenceEngine(model);
          const ids = randomIds(options.seed, promptLength + steps - 1);
          const deployment = await inProcessDeployment(model, engine, {
            alpha: shardingFrom(r).parts,
            beta: shardingFrom(s).parts,
          });
          const session = await new Client(deployment.client, model, deployment.nodes).open(
            describeSession(model, { r, s }, promptLength, { wire: "float64", maxNewTokens: steps }),
          );
          for (let step = 0; step < steps; step++) {
            const result = await session.step(
              step,
              step === 0 ? ids.slice(0, promptLength) : [ids[promptLength + step - 1]],
            );
            assert.ok("rows" in result);
            const plain = await plainForward(model, ids.slice(0, promptLength + step));
            const { finished } = await engine.head(result.rows);
            const expected = plain.hidden.at(-1)!.data.slice(-model.spec.width);
            assert.ok(maxError(finished.data, expected) < FLOAT64_BOUND);
          }
          await session.close();
          await deployment.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it("serves several sessions at once in one set of nodes", async () => {
    const model = randomModel({
      seed: 5,
      layers: 2,
      kvHeads: 1,
      group: 2,
      headDim: 4,
    });
    const engine = await referenceEngine(model);
    const deployment = await inProcessDeployment(model, engine, { alpha: 3, beta: 3 });
    const r = { rule: "clusters", parts: 3, c: 2 } as const;
    const lengths = [1, 4, 7, 12, 20];
    const alone: number[][] = [];
    for (const length of lengths) alone.push(await greedy(length));
    const together = await Promise.all(lengths.map((length) => greedy(length)));
    await deployment.close();
    assert.deepEqual(together, alone);

    async function greedy(length: number): Promise<number[]> {
      const description = describeSession(model, { r, s: r }, length, { wire: "float64", maxNewTokens: 8 });
      return (await shardedGreedy(model, engine, deployment, description, randomIds(length, length))).tokens;
    }
  });

  it("gives the same tokens with the LM head at the CompNode", async () => {
    const model = randomModel({
      seed: 9,
      layers: 2,
      kvHeads: 2,
      group: 1,
      headDim: 4,
      window: 5,
    });
    const engine = await referenceEngine(model);
    const deployment = await inProcessDeployment(model, engine, { alpha: 2, beta: 2 });
    const r = { rule: "round-robin", parts: 2 } as const;
    const description = describeSession(model, { r, s: r }, 6, { wire: "float64", maxNewTokens: 10 });
    const atClient = await shardedGreedy(model, engine, deployment, description, randomIds(1, 6));
    const atNode = await shardedGreedy(
      model,
      engine,
      deployment,
      { ...description, head: "compnode", sampling: GREEDY },
      randomIds(1, 6),
    );
    await deployment.close();
    assert.deepEqual(atNode.tokens, atClient.tokens);
  });
});

// Helpers

type Rule = Parameters<typeof shardingFrom>[0];

/** A prompt through the parties and through the plain model. */
async function both(options: RandomModelOptions, r: Rule, s: Rule, length: number, more: InProcessOptions = {}) {
  const model = randomModel(options);
  const engine = await referenceEngine(model);
  const ids = randomIds(options.seed, length);
  const deployment = await inProcessDeployment(
    model,
    engine,
    { alpha: shardingFrom(r).parts, beta: shardingFrom(s).parts },
    more,
  );
  const sharded = await shardedForward(
    model,
    engine,
    deployment,
    describeSession(model, { r, s }, length, { wire: "float64" }),
    ids,
  );
  await deployment.close();
  return { sharded, plain: await plainForward(model, ids) };
}
