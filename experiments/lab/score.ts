/** How much of a prompt a recovery holds. */
import type { Recovery } from "./attack.ts";
import type { Metric } from "./metric.ts";
import { rougeL } from "./statistics/rouge.ts";

/** Which positions a coalition saw directly, and which ids it was given. */
export interface Seen {
  readonly positions: ReadonlySet<number>;
  readonly ids: ReadonlyMap<number, number>;
}

/** Scores of one prompt; a metric without positions to score (no hidden ones) is null. */
export type Scores = Readonly<Record<Metric, number | null>> & {
  /** Share of all positions that the attack called proven, and how many of those were wrong. */
  readonly certified: number;
  readonly certifiedWrong: number;
};

/** A token that nobody guessed equals no token. */
const NO_GUESS = -1;

/** Scores a recovery against the prompt's ids; ids that the coalition was given count as its guesses. */
export function score(ids: readonly number[], seen: Seen, { guesses, certified }: Recovery): Scores {
  const listed = ids.map((_, t) => (seen.ids.has(t) ? [seen.ids.get(t)!] : (guesses.get(t) ?? [])));
  const first = listed.map(([guess]) => guess ?? NO_GUESS);
  const own = ids.map((_, t) => t).filter((t) => seen.positions.has(t));
  const hidden = ids.map((_, t) => t).filter((t) => !seen.positions.has(t));
  const all = ids.map((_, t) => t);
  const share = (of: readonly number[], right: (t: number) => boolean): number | null =>
    of.length === 0 ? null : of.filter(right).length / of.length;
  const right = (t: number): boolean => first[t] === ids[t];
  const rouge = (of: readonly number[]): number | null =>
    of.length === 0
      ? null
      : rougeL(
          of.map((t) => ids[t]),
          of.map((t) => first[t]).filter((guess) => guess !== NO_GUESS),
        );
  return {
    hiddenAccuracy: share(hidden, right),
    hiddenTop5: share(hidden, (t) => listed[t].slice(0, 5).includes(ids[t])),
    hiddenRougeL: rouge(hidden),
    ownAccuracy: share(own, right),
    wholeAccuracy: share(all, right),
    wholeRougeL: rouge(all),
    exact: all.every(right) ? 1 : 0,
    certified: [...certified].length / ids.length,
    certifiedWrong: [...certified].filter((t) => !right(t)).length,
  };
}
