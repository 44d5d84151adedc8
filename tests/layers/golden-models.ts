import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { openModel, type Model } from "../../layers/model.ts";
import type { Tensor } from "../../layers/tensor.ts";
import { float32Of, integersOf, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";

/** Folder of the tiny models that tests/fixtures/models/make.py makes with transformers. */
export const MODELS_FOLDER = path.resolve(import.meta.dirname, "../fixtures/models");

export const MODEL_NAMES: readonly string[] = readdirSync(MODELS_FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** How far float32 results may lie from transformers', which is off by as much itself. */
export const GOLDEN_TOLERANCE = 1e-4;

/** What transformers computed for one prompt. */
export interface Golden {
  readonly ids: readonly number[];
  /** hidden[I] as tests/fixtures/models/make.py describes it, each [T, d] */
  readonly hidden: readonly Float32Array[];
  /** [T, vocabulary]; null for an encoder */
  readonly logits: Float32Array | null;
  readonly greedy: readonly number[];
}

/** Opens a golden model; the caller closes it. */
export async function openGolden(name: string): Promise<{ model: Model; golden: Golden }> {
  const folder = path.join(MODELS_FOLDER, name);
  const tensors = await readSafetensorsFile(path.join(folder, "golden.safetensors"));
  const model = await openModel(folder);
  const hidden = Array.from({ length: model.spec.layers + 1 }, (_, i) => float32Of(tensors, `hidden.${i}`));
  return {
    model,
    golden: {
      ids: integersOf(tensors, "input_ids"),
      hidden,
      logits: tensors.has("logits") ? float32Of(tensors, "logits") : null,
      greedy: tensors.has("greedy") ? integersOf(tensors, "greedy") : [],
    },
  };
}

/** The largest difference of two arrays of one length; NaN counts as infinite. */
export function maxError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(got.length, expected.length, "expected arrays of one length");
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    if (got[i] === expected[i]) continue; // infinities too
    const error = Math.abs(got[i] - expected[i]);
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  return worst;
}

/** Asserts that a pass is what transformers computed, within `tolerance`. */
export function assertGolden(
  result: { hidden: readonly Tensor[]; logits: Tensor | null },
  golden: Golden,
  tolerance = GOLDEN_TOLERANCE,
): void {
  assert.equal(result.hidden.length, golden.hidden.length);
  result.hidden.forEach((rows, i) => {
    const error = maxError(rows.data, golden.hidden[i]);
    assert.ok(error <= tolerance, `hidden.${i}: expected within ${tolerance}, got ${error}`);
  });
  assert.equal(result.logits === null, golden.logits === null, "expected logits exactly where transformers has them");
  if (result.logits === null || golden.logits === null) return;
  const error = maxError(result.logits.data, golden.logits);
  assert.ok(error <= tolerance, `logits: expected within ${tolerance}, got ${error}`);
}

/** The token with the largest logit, the first of equals. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
