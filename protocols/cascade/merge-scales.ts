import { z } from "zod";
import { loadPart, readableModel, type ReadableModel } from "../smpc/calibration/readable-model.ts";
import { boundAlgebra, certificateOf } from "../smpc/certificates/bound-algebra.ts";
import { interval, type Bound } from "../smpc/certificates/bound.ts";
import type { WeightedModel } from "../smpc/factors/layer-weights.ts";
import { SiteNames } from "../smpc/lowering/ranges.ts";
import { remembered } from "../remembered.ts";

/**
 * How the words of a masked merge stand for numbers: public, the same for every prompt. fractionBits [layers][kvHeads]: a word is the
 * number times 2 to this power, for the query heads that read this value head.
 */
export const mergeScales = z.strictObject({
  fractionBits: z.array(z.array(z.int().min(-64).max(64)).min(1)).min(1),
});

export type MergeScales = z.infer<typeof mergeScales>;

/** A row of one shard is at most 2^30 before it is weighed; weights sum to 1, so the sum is far from the ring's 2^31. */
export const MAX_WORD_BITS = 30;

const scalesOfModels = new WeakMap<WeightedModel, Promise<MergeScales>>();

/**
 * The scales of a model from its weights alone: of each value head the largest |v| over all tokens (Cauchy-Schwarz on a normed row,
 * protocols/smpc/certificates). Read once for each opened model. Throws Error for a layer whose values have no bound.
 */
export function mergeScalesOf(model: WeightedModel): Promise<MergeScales> {
  return remembered(scalesOfModels, model, () => scalesFromWeights(model));
}

async function scalesFromWeights(model: WeightedModel): Promise<MergeScales> {
  const readable = readableModel(model);
  const fractionBits: number[][] = [];
  for (let layer = 0; layer < model.spec.layers; layer++) fractionBits.push(await layerBits(readable, layer));
  return { fractionBits };
}

async function layerBits(model: ReadableModel, layer: number): Promise<number[]> {
  const { kvHeads, headDim } = model.spec;
  const { columns } = certificateOf(await valueBound(model, layer));
  return Array.from({ length: kvHeads }, (_, head) => {
    const largest = Math.max(...columns.subarray(head * headDim, (head + 1) * headDim));
    if (!Number.isFinite(largest))
      throw new Error(
        `merge: expected a bound on the values of layer ${layer}, head ${head} for masked, got none; use --merge plain`,
      );
    return MAX_WORD_BITS - Math.ceil(Math.log2(largest));
  });
}

/**
 * The values of a layer. They follow a norm in the layer itself, or in what gives its input: of anything before that nothing need be
 * known.
 */
async function valueBound(model: ReadableModel, layer: number): Promise<Bound> {
  const { spec, program } = model;
  const own = await readingOf(model, (a, x) => program.pre(a, spec, layer, x));
  const { v } = program.pre(own, spec, layer, unknown(spec.width));
  if ([...v.low, ...v.high].every(Number.isFinite)) return v;
  const [attended, x] = [unknown(spec.heads * spec.headDim), unknown(spec.width)];
  const input =
    layer === 0
      ? program.embed(await readingOf(model, (a) => program.embed(a, spec)), spec)
      : program.post(
          await readingOf(model, (a, all) => program.post(a, spec, layer - 1, all, all)),
          spec,
          layer - 1,
          x,
          attended,
        );
  return program.pre(own, spec, layer, input).v;
}

async function readingOf(model: ReadableModel, part: Parameters<typeof loadPart>[1]) {
  return boundAlgebra(await loadPart(model, part), new SiteNames("merge"), () => {}, model.spec.maxPositions);
}

const unknown = (columns: number): Bound =>
  interval(new Float64Array(columns).fill(-Infinity), new Float64Array(columns).fill(Infinity));

/** Refuses a masked merge over a single shard. Throws Error. */
export function checkMaskable(beta: number): void {
  if (beta < 2)
    throw new Error(
      `merge: expected at least 2 shards of the AttnNodes (beta) for masked, got ${beta}: one shard's row is the merged row itself; use --merge plain`,
    );
}
