/** The distance below which a candidate is the token: calibrated on prompts that the attacker knows. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { orderByLogits } from "./proposals.ts";
import { PrefixForward } from "./prefix-forward.ts";
import { separatingDistance } from "../../lab/statistics/separating-distance.ts";
import type { RowMeasure } from "./row-measure.ts";
import type { CalibrationPrompt } from "../../lab/attack.ts";

/** Distances of right and wrong tokens on calibration prompts. */
export interface MatchThreshold {
  /** Largest distance of a right token. */
  readonly right: number;
  /** Least distance of a wrong one among those that the model proposes. */
  readonly wrong: number;
  /** Between the two by their geometric mean: distances spread over orders of magnitude. */
  readonly epsilon: number;
}

/** Thresholds of the first position, whose row sees itself alone, and of all others. */
export interface MatchThresholds {
  readonly first: MatchThreshold;
  readonly rest: MatchThreshold;
}

/** Wrong candidates tried at a position: the model's own best. */
const WRONG = 64;
/** Rows of a prompt that are tried, from its start. */
const POSITIONS = 24;

/**
 * Distances of the right token and of the model's best wrong ones at every position of the prompts whose row at the input of `layer` is in the view.
 * Throws Error where no prompt has such a row.
 */
export async function calibrateThresholds(
  engine: StageEngine,
  layer: number,
  prompts: readonly CalibrationPrompt[],
  measure: RowMeasure,
  opening: ArrayLike<number>,
): Promise<MatchThresholds> {
  const seen = { first: { right: 0, wrong: Infinity }, rest: { right: 0, wrong: Infinity } };
  let tried = 0;
  for (const { ids, view } of prompts) {
    const rows = view.rows("row", layer);
    const forward = new PrefixForward(engine);
    for (let position = 0, seenRows = 0; position < ids.length && seenRows < POSITIONS; position++) {
      const observed = rows.get(position);
      if (observed !== undefined) {
        seenRows++;
        const proposals = orderByLogits(position === 0 ? opening : forward.nextLogits());
        const wrong = [...proposals.subarray(0, WRONG)].filter((id) => id !== ids[position]);
        const tokens = [ids[position], ...wrong];
        const batch = await forward.run(
          tokens.map(() => []),
          tokens,
          layer,
        );
        const [right, ...others] = measure.distances(batch.rows, observed);
        const kind = position === 0 ? seen.first : seen.rest;
        kind.right = Math.max(kind.right, right);
        kind.wrong = Math.min(kind.wrong, ...others);
        tried++;
      }
      await forward.extend([ids[position]]);
    }
  }
  if (tried === 0)
    throw new Error(`calibration: expected prompts with rows of layer ${layer} in their views, got none`);
  const [first, rest] = [thresholdOf(seen.first), thresholdOf(seen.rest)];
  return { first: Number.isFinite(first.epsilon) ? first : rest, rest: Number.isFinite(rest.epsilon) ? rest : first };
}

/** Rounding of a float32 row: a right token may be this far off where calibration happened to see no difference at all. */
const LEAST_RIGHT = 1e-8;

/** Where right and wrong tokens overlap, nothing separates them: the epsilon is then what every wrong token is above. */
function thresholdOf({ right, wrong }: { readonly right: number; readonly wrong: number }): MatchThreshold {
  const floor = Math.max(right, LEAST_RIGHT);
  return { right, wrong, epsilon: separatingDistance(floor, wrong) };
}
