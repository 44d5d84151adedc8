import assert from "node:assert/strict";
import path from "node:path";
import { it } from "node:test";
import fc from "fast-check";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { monolithicModel } from "../../../layers/onnx/monolithic-model.ts";
import { shardingFrom } from "../../../protocols/cascade/sharding.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { maxError, openGolden } from "../../layers/golden-models.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { anyRule } from "./arbitraries.ts";
import { describeSession, shardedForward } from "./whole-model.ts";

/**
 * Float32 against float32, relative to the largest magnitude (at least 1): both readings round in each of some hundred sums of up to
 * 200 terms, in other orders. 2^-24 times 500.
 */
const FLOAT32_BOUND = 3e-5;

// Soft caps with alternating windows; a window alone; learned positions with LayerNorm.
for (const name of ["gemma2", "mistral-window", "gpt2"])
  it(`${name} through ONNX Runtime: sharded equals unsharded for any partitions and lengths`, async () => {
    const scratch = await scratchFolder();
    process.env.WEIR_CACHE = path.join(scratch.path, "cache");
    const { model } = await openGolden(name);
    const [engine, whole] = [await onnxEngine(model, { threads: 1 }), await monolithicModel(model, { threads: 1 })];
    const prompt = fc.array(fc.nat(model.spec.vocabulary - 1), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(anyRule, anyRule, prompt, async (r, s, ids) => {
        const parts = { alpha: shardingFrom(r).parts, beta: shardingFrom(s).parts };
        const deployment = await inProcessDeployment(model, engine, parts);
        const sharded = await shardedForward(
          model,
          engine,
          deployment,
          describeSession(model, { r, s }, ids.length),
          ids,
        );
        await deployment.close();
        const plain = await whole.begin().extend(ids, { allLogits: true, hidden: true });
        for (const [got, expected] of [
          [sharded.finished.data, plain.hidden.at(-1)!.data],
          [sharded.logits!.data, plain.logits!.data],
        ]) {
          const magnitude = Math.max(1, ...Float64Array.from(expected, Math.abs));
          assert.ok(maxError(got, expected) <= FLOAT32_BOUND * magnitude, `${maxError(got, expected)} of ${magnitude}`);
        }
      }),
      { numRuns: 15 },
    );
    await whole.close();
    await engine.close();
    await model.close();
  });
