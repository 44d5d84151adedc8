import type { AttentionSpec } from "../../../layers/program.ts";
import type { ObservedSite } from "./observing-graph.ts";
import type { SiteStatistics } from "./site-statistics.ts";

/** The rows that a graph ran on. */
interface ObservedRows {
  readonly rows: number;
  /** 1 where a row is observed, else 0. */
  readonly observed: Float32Array;
  /** Position of each row in its sequence. */
  readonly positions: readonly number[];
  /** Of the layer; null: the head. */
  readonly attention: AttentionSpec | null;
}

type Results = Readonly<Record<string, Float32Array>>;

/** Widens the ranges of a graph's sites by what it says of the rows that are observed. Throws RangeError naming a site with a value that is not finite. */
export function noteSites(
  sites: readonly ObservedSite[],
  results: Results,
  rows: ObservedRows,
  statistics: SiteStatistics,
): void {
  if (!rows.observed.includes(1)) return;
  for (const observed of sites) {
    const { kind, site } = observed;
    if (kind === "columns") {
      const columns = Float64Array.from(results[`${site}.columns`]);
      statistics.note(site, { maxAbs: columns.reduce(larger, 0), columns });
    } else if (kind === "logits") statistics.note(site, logitEnds(site, results, rows));
    else {
      const maxAbs = largest(rows, [results[`${site}.most`], results[`${site}.least`]]);
      statistics.note(site, kind === "size" ? { maxAbs } : { maxAbs, ...squares(site, results, rows) });
    }
  }
}

/** NaN must not be lost in a comparison. */
const larger = (most: number, value: number): number => (Math.abs(value) <= most ? most : Math.abs(value));

/** Largest magnitude of numbers [rows] of the rows that are observed. */
function largest({ rows, observed }: ObservedRows, ends: readonly Float32Array[]): number {
  let most = 0;
  for (let r = 0; r < rows; r++) if (observed[r] === 1) for (const end of ends) most = larger(most, end[r]);
  return most;
}

function squares(
  site: string,
  results: Results,
  { rows, observed }: ObservedRows,
): { minSquare: number; maxSquare: number } {
  const values = results[`${site}.square`];
  const groups = values.length / rows;
  let [minSquare, maxSquare] = [Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    if (observed[Math.floor(i / groups)] === 0) continue;
    minSquare = Math.min(minSquare, values[i]);
    maxSquare = Math.max(maxSquare, values[i]);
  }
  return { minSquare, maxSquare };
}

/** Of the visible logits: magnitudes before a soft cap, ends relative to the row's pivot (see `lowerAttention`) and to its diagonal. */
function logitEnds(
  site: string,
  results: Results,
  { rows, observed, positions, attention }: ObservedRows,
): Omit<Parameters<SiteStatistics["note"]>[1], "columns"> {
  const { heads, softCap, window } = attention!;
  const [most, least] = [results[`${site}.most`], results[`${site}.least`]]; // [heads, rows]
  const [diagonal, first] = [results[`${site}.diagonal`], results[`${site}.first`]]; // [rows, heads]
  const raw = softCap === null ? [most, least] : [results[`${site}.most.uncapped`], results[`${site}.least.uncapped`]];
  const seen = { maxAbs: 0, low: Infinity, high: -Infinity, spread: 0, diagonalLow: 0, diagonalHigh: 0 };
  for (let r = 0; r < rows; r++) {
    if (observed[r] === 0) continue;
    const readsFirst = softCap === null && (window === null || positions[r] < window);
    const readsDiagonal = softCap !== null || window !== null;
    for (let head = 0; head < heads; head++) {
      const [at, own] = [head * rows + r, r * heads + head];
      const [max, min] = [most[at], least[at]];
      for (const end of raw) seen.maxAbs = larger(seen.maxAbs, end[at]);
      for (const pivot of [...(readsDiagonal ? [diagonal[own]] : []), ...(readsFirst ? [first[own]] : [])]) {
        seen.low = Math.min(seen.low, min - pivot);
        seen.high = Math.max(seen.high, max - pivot);
      }
      seen.diagonalLow = Math.min(seen.diagonalLow, min - diagonal[own]);
      seen.diagonalHigh = Math.max(seen.diagonalHigh, max - diagonal[own]);
      seen.spread = Math.max(seen.spread, max - min);
    }
  }
  return seen;
}
