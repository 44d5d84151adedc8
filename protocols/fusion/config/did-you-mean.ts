import { closestMatch } from "leven";

/** At most three letters differ, and fewer than six in ten, as in what commander suggests for flags. */
const mostDifferences = (length: number): number => Math.min(3, Math.ceil(0.6 * length) - 1);

/** What follows an unknown name in an error, `; did you mean masked?`; "" where no known name is near it. */
export function didYouMean(got: string, known: readonly string[]): string {
  const closest = closestMatch(got, known, { maxDistance: mostDifferences(got.length) });
  return closest === undefined ? "" : `; did you mean ${closest}?`;
}
