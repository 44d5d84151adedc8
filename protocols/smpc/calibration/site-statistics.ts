import { encodeColumns } from "../lowering/column-bounds.ts";
import type { SiteRange } from "../lowering/ranges.ts";

/** What was seen at one site; smallest values are merged by the minimum, the others by the maximum. */
export interface Seen {
  readonly maxAbs: number;
  readonly low?: number;
  readonly high?: number;
  readonly spread?: number;
  readonly diagonalLow?: number;
  readonly diagonalHigh?: number;
  readonly minSquare?: number;
  readonly maxSquare?: number;
  /** Largest magnitude of each column. */
  readonly columns?: Float64Array;
}

type Ends = Omit<Seen, "columns">;

const LARGEST = ["maxAbs", "high", "spread", "diagonalHigh", "maxSquare"] as const;
const SMALLEST = ["low", "diagonalLow", "minSquare"] as const;

/** Ranges of all values seen so far, by site. */
export class SiteStatistics {
  readonly #sites = new Map<string, Seen>();

  /** Widens the range of a site. Throws RangeError naming the site for a value that is not finite. */
  note(site: string, seen: Seen): void {
    const before = this.#sites.get(site);
    const now: { -readonly [key in keyof Seen]: Seen[key] } = { maxAbs: 0 };
    const merge = (keys: readonly (keyof Ends)[], pick: (a: number, b: number) => number): void => {
      for (const key of keys) {
        const [a, b] = [before?.[key], seen[key]];
        if (b !== undefined && !Number.isFinite(b)) throw new RangeError(`${site}: expected finite values, got ${b}`);
        const merged = a === undefined ? b : b === undefined ? a : pick(a, b);
        if (merged !== undefined) now[key] = merged;
      }
    };
    merge(LARGEST, Math.max);
    merge(SMALLEST, Math.min);
    if (seen.columns !== undefined)
      now.columns = seen.columns.map((value, c) => Math.max(value, before?.columns?.[c] ?? 0));
    this.#sites.set(site, now);
  }

  /** The range of every site, in the order in which they were first seen. */
  ranges(): Map<string, SiteRange> {
    const range = ({ columns, ...ends }: Seen): SiteRange => ({
      range: "calibrated",
      ...ends,
      ...(columns === undefined ? {} : { columns: encodeColumns(columns) }),
    });
    return new Map([...this.#sites].map(([site, seen]) => [site, range(seen)]));
  }
}
