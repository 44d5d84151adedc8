/** What the spaces of the sums say of each token, before any is chosen: value by value head, whatever the other unknown keys are. */
import type { RowWord } from "../sums/candidate-keys.ts";
import {
  alignRows,
  dominantSpaces,
  orthonormal,
  outside,
  pairing,
  without,
  type DominantSpaces,
} from "../sums/subspace-scores.ts";
import type { WindowEquations } from "./window-equations.ts";

/** Shares of a vector outside a space below which noise alone lies. */
const LEAST_OUTSIDE: Readonly<Record<RowWord, number>> = { float32: 1e-8, float16: 1e-3 };
/** How much more a pairing's square is off than a share outside: it divides by small singular values. */
const PAIRING_NOISE = 100;
/** Half the freedoms, as in a likelihood of the share outside, and half of that again: the spaces are estimates. */
const TEMPER = 0.25;
/** Where masses aren't seen: the weight of an unknown key to begin with, and the rounds in which rows find their own. */
const MEAN_WEIGHT = 0.5;
const ALIGNING_ROUNDS = 100;

/** One unknown position: the values and weights of every token there, and the prior that is added to. */
export interface UnknownKey {
  readonly page: { readonly v: Float32Array };
  readonly weights: readonly (Float64Array | null)[];
  /** [vocabulary] */
  readonly prior: Float64Array;
}

/** The sums of one value head, and the spaces in which its unknown keys lie. */
interface HeadSpaces {
  readonly group: number;
  readonly rows: readonly number[];
  readonly noise: readonly number[];
  /** Directions that say nothing. */
  readonly blind: readonly Float64Array[];
  readonly spaces: DominantSpaces;
  /** Is each row's scale known, so that weights can be compared with it? */
  readonly isScaled: boolean;
}

/** Adds to each unknown key's prior how well every token's value, and its weights there, lie in the spaces of the sums. */
export function addSpacePriors(equations: WindowEquations, unknown: readonly UnknownKey[]): void {
  const { kvHeads } = equations.problem.keys.attention;
  for (let group = 0; group < kvHeads; group++) {
    const found = headSpaces(equations, group);
    if (found !== null) weigh(equations, unknown, found);
  }
}

/** null where the spaces would hold everything and so say nothing. */
function headSpaces(equations: WindowEquations, group: number): HeadSpaces | null {
  const { problem, target, columns, knownMass } = equations;
  const { headDim } = problem.keys.attention;
  const n = problem.positions.length;
  const rows = Array.from(problem.rows.keys()).filter((r) => equations.group(r) === group);
  if (rows.length === 0 || n > rows.length) return null;
  const noise = rows.map((r) => Math.sqrt(equations.noise(r, problem.rows[r].mass ?? knownMass[r] + n).mean));
  const means = rows.map((r, at) => problem.rows[r].mean.map((x) => x / noise[at]));
  const sums = (massOf: (row: number) => number): Float64Array[] =>
    rows.map((r, at) => means[at].map((x, i) => target[r * columns + i] / noise[at] + massOf(r) * x));
  const spaces = (of: readonly Float64Array[], blind: readonly Float64Array[], isScaled: boolean): HeadSpaces | null =>
    n >= headDim - blind.length
      ? null
      : {
          group,
          rows,
          noise,
          blind,
          spaces: dominantSpaces({ rows: of.map((row) => without(row, blind)) }, n),
          isScaled,
        };
  if (problem.rows[rows[0]].mass !== null)
    return spaces(
      sums((r) => target[r * columns + headDim]),
      [],
      true,
    );
  // A row of unknown mass is known up to a multiple of its mean. With rows to spare the multiples are fitted.
  if (n < rows.length) {
    const fitted = sums(() => n * MEAN_WEIGHT);
    alignRows(fitted, means, n, ALIGNING_ROUNDS);
    return spaces(fitted, [], true);
  }
  // Else the means' directions are left out, which takes as many known keys as rows; or the known values', and then the means do.
  const seen = new Set(rows.flatMap((r) => problem.rows[r].keys));
  const knownValues = [...equations.knownValues].filter(([position]) => seen.has(position));
  if (knownValues.length >= rows.length)
    return spaces(
      sums(() => 0),
      orthonormal(means),
      true,
    );
  const values = knownValues.map(([, v]) => Float64Array.from(v.subarray(group * headDim, (group + 1) * headDim)));
  return spaces(means, orthonormal(values), false);
}

function weigh(
  { problem }: WindowEquations,
  unknown: readonly UnknownKey[],
  { group, rows, noise, blind, spaces, isScaled }: HeadSpaces,
): void {
  const { keys, word } = problem;
  const { headDim } = keys.attention;
  const n = spaces.values.length;
  const least = LEAST_OUTSIDE[word];
  const held = [...blind, ...spaces.values];
  const value = new Float64Array(headDim);
  const column = new Float64Array(rows.length);
  const ofValues = new Map<Float32Array, Float64Array>();
  for (const { page, weights, prior } of unknown) {
    const made = ofValues.get(page.v);
    const shares = made ?? new Float64Array(prior.length);
    ofValues.set(page.v, shares);
    for (let token = 0; token < prior.length; token++) {
      const from = token * keys.width + group * headDim;
      for (let i = 0; i < headDim; i++) value[i] = page.v[from + i];
      if (made === undefined) shares[token] = Math.log(outside(value, held) + least);
      let freedom = (headDim - held.length) * shares[token];
      if (isScaled) {
        rows.forEach((r, at) => (column[at] = (weights[r]?.[token] ?? 0) / noise[at]));
        if (n < rows.length) freedom += (rows.length - n) * Math.log(outside(column, spaces.weights) + least);
        freedom += Math.log(Math.min(1, (1 - pairing(spaces, value, column)) ** 2) + PAIRING_NOISE * least);
      }
      prior[token] -= TEMPER * freedom;
    }
  }
}
