/** Layers in Cascade, under SMPC and delegated, in any mixture: what transformers computed, and on random models the plain rows at the declared cost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { sessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { layersOnShares } from "../../../protocols/fusion/session/layer-placement.ts";
import { GROUPS, isDelegated } from "../../../protocols/smpc/lowering/evaluators.ts";
import { argmax, maxError, MODEL_NAMES, openGolden } from "../../layers/golden-models.ts";
import { anyRule } from "../cascade/arbitraries.ts";
import { randomIds } from "../cascade/random-model.ts";
import { fourLayers, rangesOfAll, SMPC_BOUND, walkError, withHybrid } from "./smpc-session-run.ts";

/** How far the hidden states may be off: of layers under SMPC, and where there are delegated ones alone. */
const HIDDEN_TOLERANCE = 2e-2;
const DELEGATED_TOLERANCE = 1e-3;

/** Every one of the three on the first and on the last layer, and on all; Cascade alone is held against goldens elsewhere. */
const HOW = ["cascade", "smpc", "delegated"] as const;
const PLACEMENTS: readonly string[] = [
  ...HOW.flatMap((first) => HOW.map((last) => `first:1=${first}; last:1=${last}`)).slice(1),
  "all=smpc",
  "all=delegated",
];
/** The prompt, and tokens one by one. */
const STEPS = 3;

const R: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 2 };

describe("models that transformers ran, wherever their layers are placed", () => {
  for (const name of MODEL_NAMES)
    it(name, async () => {
      const { model, golden } = await openGolden(name);
      const engine = await onnxEngine(model, { threads: 1 });
      const ranges = await rangesOfAll(model);
      const { vocabulary, width, layers, causal } = model.spec;
      const steps = causal && golden.greedy.length >= STEPS ? STEPS : 1;
      for (const placement of PLACEMENTS) {
        const placed = layersOnShares(placement, layers);
        const tolerance = placed.evaluators.every(isDelegated) ? DELEGATED_TOLERANCE : HIDDEN_TOLERANCE;
        await withHybrid(
          {
            model,
            engine,
            r: R,
            s: S,
            ranges,
            precision: "finest",
            ...placed,
            more: { output: "all", maxNewTokens: steps },
          },
          golden.ids.length,
          async (session) => {
            for (let step = 0; step < steps; step++) {
              const result = await session.step(step, step === 0 ? golden.ids : [golden.greedy[step - 1]]);
              assert.ok("rows" in result, placement);
              const { finished, logits } = await engine.head(result.rows);
              if (step === 0) {
                assert.equal(finished.data.length, golden.ids.length * width, placement);
                const error = maxError(finished.data, golden.hidden.at(-1)!);
                assert.ok(error <= tolerance, `${placement}: expected within ${tolerance}, got ${error}`);
              }
              if (steps > 1)
                assert.equal(
                  argmax(logits!.data.subarray(-vocabulary)),
                  golden.greedy[step],
                  `${placement}: token ${step}`,
                );
            }
            const reports = await session.close();
            const failed = [...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)];
            assert.deepEqual(failed, [], placement);
          },
        );
      }
      await engine.close();
      await model.close();
    });
});

/** Any placement of four layers: some named, the rest in Cascade. */
const anyHow = fc.oneof(
  fc.constantFrom(...HOW),
  fc.subarray([...GROUPS], { minLength: 1 }).map((groups) => `smpc:${groups.join("+")}`),
);
const anyPlacement = fc
  .array(anyHow, { minLength: 4, maxLength: 4 })
  .map((hows) => hows.map((how, layer) => `${layer}=${how}`).join("; "));

describe("any placement", () => {
  const runs = 12;

  it("gives the plain rows at the declared cost, whatever the shardings, the parties and the public prefix", async () => {
    const model = fourLayers();
    const engine = await referenceEngine(model);
    const ranges = await rangesOfAll(model);
    const scene = fc.record({
      placement: anyPlacement,
      r: anyRule,
      s: anyRule,
      parties: fc.constantFrom(2, 3, 4),
      dealer: fc.constantFrom("client" as const, "dealer" as const),
      prefix: fc.integer({ min: 0, max: 5 }),
      secret: fc.integer({ min: 1, max: 6 }),
      steps: fc.integer({ min: 1, max: 3 }),
      unused: fc.integer({ min: 0, max: 2 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ placement, prefix, secret, steps, unused, seed, ...setting }) => {
        const ids = randomIds(seed, prefix + secret + steps - 1);
        const placed = layersOnShares(placement, model.spec.layers);
        const more = { maxNewTokens: steps + unused, publicPrefix: ids.slice(0, prefix) };
        await withHybrid(
          { model, engine, ranges, ...setting, ...placed, more },
          secret,
          async (session, deployment) => {
            const error = await walkError(session, model, engine, ids, steps);
            const bound = placed.evaluators.every(isDelegated) ? DELEGATED_TOLERANCE : SMPC_BOUND;
            assert.ok(error <= bound, `expected within ${bound}, got ${error}`);
            const costs = await sessionCosts(deployment, session, await session.close(), model, steps);
            for (const phase of costs.phases) {
              assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
              assert.equal(phase.messages, phase.expectedMessages, phase.phase);
            }
            assert.equal(costs.rounds, costs.expectedRounds, "rounds");
          },
        );
      }),
      { numRuns: runs },
    );
  });
});
