/** The middle of some numbers; the mean of the two middle ones where their number is even. Throws RangeError for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("median: expected at least one value, got none");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The same measurement of several things, taken in turn: minimum, median and the raw values of each. */
export interface Measured {
  readonly minimum: number;
  readonly median: number;
  readonly values: number[];
}

export function summary(values: number[]): Measured {
  return { minimum: Math.min(...values), median: median(values), values };
}

/**
 * Runs every measurement `rounds` times, in turn and in a different order each round, so that a machine that slows down slows all of
 * them; the first `warmups` rounds are thrown away.
 */
export async function interleaved<Name extends string>(
  measurements: Readonly<Record<Name, () => Promise<number>>>,
  rounds: number,
  warmups: number,
): Promise<Record<Name, Measured>> {
  const names = Object.keys(measurements) as Name[];
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -warmups; round < rounds; round++) {
    for (let at = 0; at < names.length; at++) {
      const name = names[(at + Math.abs(round)) % names.length];
      const value = await measurements[name]();
      if (round >= 0) values[name].push(value);
    }
  }
  return Object.fromEntries(names.map((name) => [name, summary(values[name])])) as Record<Name, Measured>;
}
