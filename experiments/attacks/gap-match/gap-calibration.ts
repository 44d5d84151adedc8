/** What gap-match measures distances by: features scaled by what a wrong left neighbour does to them, and the distance of a right guess. */
import type { Tensor } from "../../../layers/tensor.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { CalibrationPrompt } from "../../lab/attack.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { orderByLogits } from "../matching/proposals.ts";
import { scaledL1, type RowMeasure } from "../matching/row-measure.ts";
import { separatingDistance } from "../../lab/statistics/separating-distance.ts";

export interface GapCalibration {
  readonly measure: RowMeasure;
  /** Largest distance of a right guess, least of one whose left neighbour is wrong, and their geometric mean. */
  readonly right: number;
  readonly wrong: number;
  readonly epsilon: number;
}

/** Wrong neighbours at a position, the model's own best; visible positions of a prompt: from the third on, so many of them. */
const [WRONG, FIRST, POSITIONS] = [12, 2, 5];
/** Rounding of a float32 row, in units of what a wrong neighbour does: a right guess may be this far off. */
const LEAST_RIGHT = 1e-6;

/** Throws Error where no calibration prompt has the rows. */
export async function calibrateGap(
  engine: StageEngine,
  layer: number,
  prompts: readonly CalibrationPrompt[],
): Promise<GapCalibration> {
  const seen: { rows: Tensor; observed: Float32Array | Float64Array }[] = [];
  for (const { ids, view } of prompts) {
    const rows = view.rows("row", layer);
    const visible = [...rows.keys()].filter((position) => position >= FIRST).sort((a, b) => a - b);
    const every = Math.ceil(visible.length / POSITIONS);
    for (const position of visible.filter((_, at) => at % every === 0)) {
      const observed = rows.get(position)!;
      const forward = new PrefixForward(engine);
      await forward.extend(ids.slice(0, position - 1));
      const left = ids[position - 1];
      const wrong = [...orderByLogits(forward.nextLogits()).subarray(0, WRONG)].filter((id) => id !== left);
      const tokens = [left, ...wrong];
      const neighbours = await forward.run(
        tokens.map(() => []),
        tokens,
        layer,
        true,
      );
      const chains = tokens.map((_, row) => [{ batch: neighbours, row }]);
      const own = tokens.map(() => ids[position]);
      seen.push({ rows: (await forward.run(chains, own, layer)).rows, observed });
    }
  }
  if (seen.length === 0)
    throw new Error(`calibration: expected prompts with rows of layer ${layer} in their views, got none`);
  const measure = scaledL1(meanDifferences(seen, engine.spec.width));
  const [rights, wrongs] = [[LEAST_RIGHT], [] as number[]];
  for (const { rows, observed } of seen) {
    const [right, ...others] = measure.distances(rows, observed);
    rights.push(right);
    wrongs.push(...others);
  }
  const [right, wrong] = [Math.max(...rights), Math.min(...wrongs)];
  return { measure, right, wrong, epsilon: separatingDistance(right, wrong) };
}

/** Mean absolute difference of the wrong guesses' rows from the observed ones, by feature, [d]. */
function meanDifferences(
  seen: readonly { readonly rows: Tensor; readonly observed: ArrayLike<number> }[],
  width: number,
): Float64Array {
  const sums = new Float64Array(width);
  let count = 0;
  for (const { rows, observed } of seen)
    for (let row = 1; row < rows.shape[0]; row++, count++)
      for (let i = 0; i < width; i++) sums[i] += Math.abs(rows.data[row * width + i] - observed[i]);
  // A feature that never moved must not divide by nothing.
  const least = sums.reduce((a, b) => a + b, 0) / (1e6 * width);
  return sums.map((sum) => Math.max(sum, least) / Math.max(1, count));
}
