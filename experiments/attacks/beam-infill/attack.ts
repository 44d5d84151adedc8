/**
 * Beam infill: the language model itself fills the missing tokens, and the visible rows choose among its fillings.
 *
 * Functionality: left to right, the likeliest fillings are kept (beam search); a known token is a constraint that costs what the model
 *   makes of it, and a visible row takes from each filling, in nats, a calibrated weight times the distance between the observed row
 *   and the one that the filling gives. No training: it is the infiller for models that no network was trained for.
 * Needs: `row` of one layer; `ids` of those positions, or training text, for a probe to read them off the rows.
 * Cost: `width` passes a position; in front of a visible row, 2·`ahead` more through the layers below that row alone.
 * Reference: the learning-based reconstruction of arXiv 2507.05228, with the model's own knowledge of language in place of training.
 * Controls: the same search without rows (prior); noise in place of rows; the unsharded view.
 * Test: tests/experiments/attacks/infill.test.ts
 */
import { z } from "zod";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Attack, CalibrationPrompt, Recovery } from "../../lab/attack.ts";
import { PrefixForward, type CandidateToken } from "../matching/prefix-forward.ts";
import { logProbabilities, openingLogits } from "../matching/proposals.ts";
import { scaledL1, type RowMeasure } from "../matching/row-measure.ts";
import { OwnTokens } from "../probes/own-tokens.ts";
import { visibleRows } from "../probes/visible-rows.ts";
import { parseOptions } from "../../lab/parse-options.ts";

export const beamInfillOptions = z.strictObject({
  width: z.int().min(1).default(16).describe("fillings that are kept"),
  ahead: z
    .int()
    .min(1)
    .default(256)
    .describe(
      "candidates of a position in front of a visible row that are held against that row before any is dropped",
    ),
  weights: z
    .array(z.number().min(0))
    .min(1)
    .default([40, 200])
    .describe("nats that a row's distance may weigh: the best on calibration prompts is taken"),
  guesses: z.int().min(1).default(5).describe("guesses of a position"),
});
export type BeamInfillOptions = z.infer<typeof beamInfillOptions>;

/** A calibration prompt, and what its view is sure of. */
interface KnownPrompt extends CalibrationPrompt {
  readonly known: ReadonlyMap<number, number>;
}

/** What the observed rows say of a filling. */
export interface RowEvidence {
  readonly layer: number;
  readonly rows: ReadonlyMap<number, Float32Array | Float64Array>;
  readonly measure: RowMeasure;
  /** Nats a unit of distance. */
  readonly weight: number;
}

/** What filling one prompt needs. */
export interface BeamTask {
  readonly engine: StageEngine;
  readonly length: number;
  readonly known: ReadonlyMap<number, number>;
  /** Null: the prior. */
  readonly evidence: RowEvidence | null;
  /** Logits of a prompt's first token. */
  readonly opening: ArrayLike<number>;
  /** Nats that tokens of an unknown position gain beside the model's own, [vocabulary]; none where it is absent. */
  readonly told?: ReadonlyMap<number, ArrayLike<number>>;
}

export const beamInfill: Attack<BeamInfillOptions> = {
  name: "beam-infill",
  strength: "filled gaps",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("beam-infill", beamInfillOptions, value);
  },
  async prepare(preparation, options) {
    const { engine, layer } = preparation;
    const own = new OwnTokens(preparation);
    const calibration: KnownPrompt[] = [];
    for (const { ids, view } of preparation.calibration) calibration.push({ ids, view, known: await own.of(view) });
    const opening = await openingLogits(engine);
    const measure = scaledL1(await hiddenShare(engine, layer, calibration));
    const weight = await bestWeight(engine, layer, calibration, measure, opening, options);
    return {
      recover: async (view, { engine: at, description: { promptLength: length } }) => {
        const evidence = { layer, rows: view.rows("row", layer), measure, weight };
        const task = { engine: at, length, known: await own.of(view), evidence, opening };
        const recovery = await beamFill(task, options);
        return { ...recovery, figures: { ...recovery.figures, weight } };
      },
      prior: (view, { engine: at, description: { promptLength: length } }) =>
        beamFill({ engine: at, length, known: view.ids(), evidence: null, opening }, options),
      close: async () => {},
    };
  },
};

/** A filling of the positions so far. */
interface Beam {
  /** Log probability of its tokens less what rows took from it. */
  readonly score: number;
  readonly tokens: readonly number[];
  /** Its tokens after the prefix that all fillings share. */
  readonly chain: readonly CandidateToken[];
  /** Log probabilities of the next token, [vocabulary]. */
  readonly next: Float64Array;
}

/** Fills every unknown position. */
export async function beamFill(
  { engine, length, known, evidence, opening, told }: BeamTask,
  { width, ahead = width, guesses }: Pick<BeamInfillOptions, "width" | "guesses"> & { readonly ahead?: number },
): Promise<Recovery> {
  const forward = new PrefixForward(engine);
  let beams: Beam[] = [{ score: 0, tokens: [], chain: [], next: logProbabilities(opening) }];
  for (let position = 0; position < length; position++) {
    const given = known.get(position);
    const facing =
      given === undefined && evidence?.rows.has(position + 1) === true ? known.get(position + 1) : undefined;
    const count = facing === undefined ? width : Math.max(width, ahead);
    const likely = likeliest(beams, given, count, told?.get(position));
    const tried =
      facing === undefined ? likely : await nearest(forward, likely, position + 1, facing, evidence!, width);
    const observed = evidence?.rows.get(position);
    const chains = tried.map(({ beam }) => beam.chain);
    const ids = tried.map(({ id }) => id);
    const batch = await forward.run(chains, ids, observed === undefined ? 0 : evidence!.layer);
    const distances = observed === undefined ? null : evidence!.measure.distances(batch.rows, observed);
    const { batch: finished, logits } = await forward.logits(batch);
    const vocabulary = logits.shape[1];
    beams = tried
      .map(({ beam, id, score }, row) => ({
        score: score - (distances === null ? 0 : evidence!.weight * distances[row]),
        tokens: [...beam.tokens, id],
        chain: [...beam.chain, { batch: finished, row }],
        next: logProbabilities(logits.data.subarray(row * vocabulary, (row + 1) * vocabulary)),
      }))
      .sort((a, b) => b.score - a.score);
    beams = await shareBeginnings(forward, beams);
  }
  return {
    guesses: new Map(Array.from({ length }, (_, position) => [position, guessesAt(beams, position, guesses)])),
    certified: new Set(),
    forwardPasses: forward.passes,
    figures: {},
  };
}

/** A filling and the token that it would go on with. */
interface Extension {
  readonly beam: Beam;
  readonly id: number;
  readonly score: number;
}

/** The `count` likeliest extensions, best first; one of each filling by the given token where there is one. `told`: as of a task, of this position. */
function likeliest(
  beams: readonly Beam[],
  given: number | undefined,
  count: number,
  told: ArrayLike<number> | undefined,
): Extension[] {
  if (given !== undefined) return beams.map((beam) => ({ beam, id: given, score: beam.score + beam.next[given] }));
  const vocabulary = beams[0].next.length;
  const scores = new Float64Array(beams.length * vocabulary);
  beams.forEach(({ score, next }, at) =>
    scores.set(
      next.map((log, id) => score + log + (told?.[id] ?? 0)),
      at * vocabulary,
    ),
  );
  const least = scores.slice().sort()[Math.max(0, scores.length - count)];
  const found: Extension[] = [];
  scores.forEach((score, at) => {
    if (score >= least) found.push({ beam: beams[Math.floor(at / vocabulary)], id: at % vocabulary, score });
  });
  return found.sort((a, b) => b.score - a.score).slice(0, count);
}

/** Of many extensions, the `width` that the visible row after them speaks for; only the layers below that row are run. */
async function nearest(
  forward: PrefixForward,
  extensions: readonly Extension[],
  visible: number,
  id: number,
  { layer, rows, measure, weight }: RowEvidence,
  width: number,
): Promise<Extension[]> {
  const batch = await forward.run(
    extensions.map(({ beam }) => beam.chain),
    extensions.map((extension) => extension.id),
    layer,
    true,
  );
  const after = await forward.run(
    extensions.map(({ beam }, row) => [...beam.chain, { batch, row }]),
    extensions.map(() => id),
    layer,
  );
  const distances = measure.distances(after.rows, rows.get(visible)!);
  return extensions
    .map((extension, row) => ({ extension, rank: extension.score - weight * distances[row] }))
    .sort((a, b) => b.rank - a.rank)
    .slice(0, width)
    .map(({ extension }) => extension);
}

/** Tokens that all fillings begin with go into the prefix, so that chains stay as short as what is still open. */
async function shareBeginnings(forward: PrefixForward, beams: readonly Beam[]): Promise<Beam[]> {
  const [first] = beams;
  let shared = 0;
  while (
    shared < first.chain.length &&
    beams.every(({ tokens }) => tokens[forward.length + shared] === first.tokens[forward.length + shared])
  )
    shared++;
  if (shared === 0) return [...beams];
  await forward.extend(first.tokens.slice(forward.length, forward.length + shared));
  return beams.map((beam) => ({ ...beam, chain: beam.chain.slice(shared) }));
}

/** Different tokens of the fillings at a position, the best filling's first. */
const guessesAt = (beams: readonly Beam[], position: number, count: number): number[] =>
  [...new Set(beams.map(({ tokens }) => tokens[position]))].slice(0, count);

/** By feature, how much of a row comes from hidden tokens: the mean absolute difference to the row without them, [d]. Ones where nothing is hidden. */
async function hiddenShare(engine: StageEngine, layer: number, prompts: readonly KnownPrompt[]): Promise<Float64Array> {
  const { width } = engine.spec;
  const sums = new Float64Array(width);
  let rows = 0;
  for (const { view, known } of prompts) {
    const observed = view.rows("row", layer);
    const alone = (await visibleRows(engine, known, [layer])).get(layer)!;
    for (const [position, row] of observed) {
      const expected = alone.get(position);
      if (expected === undefined) continue;
      for (let i = 0; i < width; i++) sums[i] += Math.abs(row[i] - expected[i]);
      rows++;
    }
  }
  const scales = sums.map((sum) => sum / Math.max(1, rows));
  const least = 1e-3 * Math.max(...scales);
  return least === 0 ? scales.fill(1) : scales.map((scale) => Math.max(scale, least));
}

/** The weight that fills calibration prompts best; the first of `weights` where there are none. */
async function bestWeight(
  engine: StageEngine,
  layer: number,
  prompts: readonly KnownPrompt[],
  measure: RowMeasure,
  opening: ArrayLike<number>,
  options: BeamInfillOptions,
): Promise<number> {
  let best = { weight: options.weights[0], right: -1 };
  for (const weight of options.weights) {
    let right = 0;
    for (const { ids, view, known } of prompts) {
      const evidence = { layer, rows: view.rows("row", layer), measure, weight };
      const { guesses } = await beamFill({ engine, length: ids.length, known, evidence, opening }, options);
      right += ids.filter((id, position) => guesses.get(position)?.[0] === id).length;
    }
    if (right > best.right) best = { weight, right };
  }
  return best.weight;
}
