import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import { seededChance } from "../../lab/statistics/bootstrap.ts";
import { linearProgram, type LinearProgram, type ProgramColumn } from "./linear-program.ts";
import {
  coefficients,
  equationsPerHead,
  targets,
  tolerances,
  type Accuracy,
  type SumObservation,
} from "./sum-observation.ts";

/** Misfit in tolerances of rounding up to which an assignment counts as proven: roundings add up over a row, a wrong token is orders above. */
export const PROVEN = 8;

/** How a program of tokens is put. */
export interface TokenProgramOptions {
  /** One-hot columns integer, or relaxed to [0, 1]. */
  readonly integer: boolean;
  /**
   * l1: each equation has a slack, which costs its size over the equation's tolerance (-log of Laplace noise, so that with token costs
   * -log p the least cost is the most probable prompt); box: equations hold within their tolerance, or the program is infeasible.
   */
  readonly fit: "l1" | "box";
  /** Most equations used, drawn by the seed from all; Infinity: all. */
  readonly equations: number;
  readonly seed: number;
  readonly accuracy: Accuracy;
  /**
   * l1: factor on what slacks cost, 1 where errors of equations are independent; those of an estimated dictionary are not, as one wrong
   * key or value is in many equations.
   */
  readonly evidence: number;
}

/** A position whose token is unknown, with its candidates. */
export interface HiddenToken {
  readonly page: DictionaryPage;
  /** -log p of each candidate, in nats, [tokens]. */
  readonly cost: ArrayLike<number>;
}

/** A program and what its first columns stand for. */
export interface TokenProgram {
  readonly program: LinearProgram;
  /** The one-hot column of a candidate. */
  readonly columns: readonly { readonly position: number; readonly token: number }[];
}

/**
 * Unknown one-hot tokens of `hidden` under the equations of `observations`; `known` has a page of one token for every other key of
 * theirs. Throws Error for a key that is neither.
 */
export function tokenProgram(
  engine: StageEngine,
  observations: readonly SumObservation[],
  hidden: readonly HiddenToken[],
  known: ReadonlyMap<number, DictionaryPage>,
  options: TokenProgramOptions,
): TokenProgram {
  const { heads, headDim } = engine.attention(0);
  const perRow = heads * equationsPerHead(headDim);
  const chosen = choose(observations, perRow, headDim, options);
  const [rowLower, rowUpper] = [hidden.map(() => 1), hidden.map(() => 1)];
  const scales: number[] = [];
  const slackOf: number[] = [];
  const columnParts = hidden.map(({ page }) =>
    page.tokens.map(() => ({ indices: [] as number[], values: [] as number[] })),
  );
  columnParts.forEach((parts, at) => parts.forEach((part) => (part.indices.push(at), part.values.push(1))));
  const valueScale = meanSize(hidden);
  observations.forEach((seen, o) => {
    const rows = chosen[o];
    const parts = hidden.map(({ page }) =>
      seen.keys.includes(page.position) ? coefficients(engine, seen, page) : null,
    );
    const constant = knownPart(engine, seen, hidden, known, perRow);
    const normaliser = normaliserOf(seen, constant, headDim);
    const allowed = tolerances(seen, normaliser, valueScale, options.accuracy);
    const right = targets(seen);
    for (const equation of rows) {
      const scale = 1 / (largest(parts, perRow, equation) || 1);
      const row = rowLower.length;
      const target = right[equation] - constant[equation];
      const slack = options.fit === "box" ? allowed[equation] * 4 : 0;
      rowLower.push((target - slack) * scale);
      rowUpper.push((target + slack) * scale);
      scales.push(scale);
      slackOf.push(allowed[equation] * scale);
      parts.forEach((part, at) => {
        if (part === null) return;
        columnParts[at].forEach((column, candidate) => {
          const value = part[candidate * perRow + equation] * scale;
          if (Math.abs(value) < 1e-9) return; // HiGHS takes it for zero
          column.indices.push(row);
          column.values.push(value);
        });
      });
    }
  });
  const columns: ProgramColumn[] = columnParts.flatMap((parts, at) =>
    parts.map((part, candidate) => ({
      cost: hidden[at].cost[candidate],
      lower: 0,
      upper: 1,
      integer: options.integer,
      ...part,
    })),
  );
  if (options.fit === "l1")
    slackOf.forEach((tolerance, at) => {
      // |r| / tolerance, with coefficient and cost both moderate: a coefficient at rounding level would be dropped.
      const unit = Math.sqrt(tolerance);
      for (const sign of [1, -1])
        columns.push({
          cost: (options.evidence * unit) / tolerance,
          lower: 0,
          upper: Infinity,
          indices: [hidden.length + at],
          values: [sign * unit],
        });
    });
  return {
    program: linearProgram(columns, rowLower, rowUpper),
    columns: hidden.flatMap(({ page }) => page.tokens.map((token) => ({ position: page.position, token }))),
  };
}

/**
 * How well an assignment of tokens explains what was seen: the largest difference of an equation over its tolerance. About 1 where all
 * are right, orders above where one is wrong; proof without the truth. `pages` has one token for every key.
 */
export function misfit(
  engine: StageEngine,
  observations: readonly SumObservation[],
  pages: ReadonlyMap<number, DictionaryPage>,
  accuracy: Accuracy,
): number {
  return residuals(engine, observations, pages, accuracy).reduce((most, { size }) => Math.max(most, size), 0);
}

/** Differences of all equations under an assignment, in tolerances. `pages` has one token for every key. */
export function residuals(
  engine: StageEngine,
  observations: readonly SumObservation[],
  pages: ReadonlyMap<number, DictionaryPage>,
  accuracy: Accuracy,
): { readonly isTotal: boolean; readonly size: number }[] {
  const { heads, headDim } = engine.attention(0);
  const perRow = heads * equationsPerHead(headDim);
  const valueScale = meanSize([...pages.values()].map((page) => ({ page })));
  return observations.flatMap((seen) => {
    const sum = knownPart(engine, seen, [], pages, perRow);
    const normaliser = Float64Array.from({ length: heads }, (_, h) => sum[h * equationsPerHead(headDim)]);
    const allowed = tolerances(seen, seen.total ?? normaliser, valueScale, accuracy);
    const right = targets(seen);
    return Array.from(sum).flatMap((value, equation) => {
      const isTotal = equation % equationsPerHead(headDim) === 0;
      if (isTotal && seen.total === null) return [];
      return [{ isTotal, size: Math.abs(value - right[equation]) / allowed[equation] }];
    });
  });
}

/** The equations of each observation that are used, ascending; totals only where they are known. */
function choose(
  observations: readonly SumObservation[],
  perRow: number,
  headDim: number,
  { equations, seed }: TokenProgramOptions,
): number[][] {
  const all = observations.flatMap((seen, o) =>
    Array.from({ length: perRow }, (_, equation) => ({ o, equation })).filter(
      ({ equation }) => equation % equationsPerHead(headDim) !== 0 || seen.total !== null,
    ),
  );
  const chance = seededChance(seed);
  const drawn = all
    .map((entry) => ({ ...entry, at: chance() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, equations);
  return observations.map((_, o) =>
    drawn
      .filter((entry) => entry.o === o)
      .map(({ equation }) => equation)
      .sort((a, b) => a - b),
  );
}

/** What the known keys of a row add to its equations, [equations]. */
function knownPart(
  engine: StageEngine,
  seen: SumObservation,
  hidden: readonly HiddenToken[],
  known: ReadonlyMap<number, DictionaryPage>,
  perRow: number,
): Float64Array {
  const unknown = new Set(hidden.map(({ page }) => page.position));
  const sum = new Float64Array(perRow);
  for (const key of seen.keys) {
    if (unknown.has(key)) continue;
    const page = known.get(key);
    if (page === undefined)
      throw new Error(`tokens: expected every key hidden or known, got neither for position ${key}`);
    coefficients(engine, seen, page).forEach((value, equation) => (sum[equation] += value));
  }
  return sum;
}

/** The sum of weights that tolerances are relative to: e, or what is known of it, [heads]. */
function normaliserOf(seen: SumObservation, constant: Float64Array, headDim: number): Float64Array {
  return (
    seen.total ?? Float64Array.from(seen.reference, (_, h) => Math.max(constant[h * equationsPerHead(headDim)], 1))
  );
}

function largest(parts: readonly (Float64Array | null)[], perRow: number, equation: number): number {
  let most = 0;
  for (const part of parts)
    for (let at = equation; at < (part?.length ?? 0); at += perRow) most = Math.max(most, Math.abs(part![at]));
  return most;
}

/** Mean absolute value of the pages' values. */
function meanSize(pages: readonly { readonly page: DictionaryPage }[]): number {
  let [sum, count] = [0, 0];
  for (const { page } of pages) {
    for (const value of page.v) sum += Math.abs(value);
    count += page.v.length;
  }
  return count === 0 ? 1 : sum / count;
}
