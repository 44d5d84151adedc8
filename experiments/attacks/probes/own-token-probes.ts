/** The probes of a row's own token, and the one that does best on prompts whose tokens the attacker knows. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { ClassMeans } from "./class-means.ts";
import type { LinearProbe } from "./linear-probe.ts";
import { nearestProbe } from "./nearest.ts";
import type { ProbeMaterial } from "./probe-training.ts";
import { ridgeProbe } from "./ridge.ts";
import type { RowProbe } from "./row-probe.ts";
import { truthRanks } from "./truth-ranks.ts";

/** Rows [rows, width] with their tokens. */
export interface LabelledRows {
  readonly rows: Float32Array;
  readonly ids: readonly number[];
}

export type OwnTokenProbe = (typeof OWN_TOKEN_PROBES)[number];

export const OWN_TOKEN_PROBES = [
  "class-means",
  "nearest-cosine",
  "nearest-l2",
  "ridge-one-hot",
  "ridge-embedding",
] as const;

/** λ of ridge regression, a share of the diagonal. */
const RIDGE_PENALTY = 1e-3;
/** What a prior row may be worth, in training rows, beside the estimate. */
const PRIOR_ROWS = [null, 16, 64] as const;

/** One probe; where it has a choice of its own, the one that finds most tokens of `calibration`, or the first without any. */
export async function ownTokenProbe(
  engine: StageEngine,
  product: Float64Product,
  name: OwnTokenProbe,
  { statistics, references, reader }: ProbeMaterial,
  calibration: LabelledRows,
): Promise<LinearProbe> {
  switch (name) {
    case "nearest-cosine":
      return nearestProbe("cosine", references, reader.width);
    case "nearest-l2":
      return nearestProbe("l2", references, reader.width);
    case "ridge-one-hot":
      return ridgeProbe(product, statistics, { penalty: RIDGE_PENALTY, embeddings: null });
    case "ridge-embedding":
      return ridgeProbe(product, statistics, {
        penalty: RIDGE_PENALTY,
        embeddings: await embeddingTable(engine),
      });
    case "class-means": {
      const means = await ClassMeans.fit(product, statistics, references);
      const choices = PRIOR_ROWS.map((priorRows) => () => means.probe({ priorRows, frequencyWeight: 1 }));
      return (await bestProbe(product, choices, calibration)).probe;
    }
  }
}

/** Embeddings of all tokens, [vocabulary, d], at a position where they are what they are elsewhere. */
async function embeddingTable(engine: StageEngine): Promise<{ readonly data: Float32Array; readonly width: number }> {
  const { vocabulary, width } = engine.spec;
  const ids = Array.from({ length: vocabulary }, (_, id) => id);
  const { data } = await engine.embed(
    ids,
    ids.map(() => 1),
  );
  return { data: data as Float32Array, width };
}

/**
 * The probe that ranks the tokens of `calibration` best (mean of 1 / rank); the first of equals. One is held beside the best so far.
 * Without calibration rows: the first, with a score of NaN.
 */
export async function bestProbe<Probe extends RowProbe>(
  product: Float64Product,
  choices: readonly (() => Probe | Promise<Probe>)[],
  { rows, ids }: LabelledRows,
): Promise<{ readonly probe: Probe; readonly score: number }> {
  let found: { probe: Probe; score: number } | null = null;
  for (const choose of choices) {
    if (ids.length === 0 && found !== null) break;
    const probe = await choose();
    const ranks = await truthRanks(product, probe, rows, ids);
    const score = ranks.reduce((sum, rank) => sum + 1 / (rank + 1), 0) / ranks.length;
    if (found === null || score > found.score) found = { probe, score };
  }
  return found!;
}
