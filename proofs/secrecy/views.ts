import type { Words } from "../../shares/words.ts";

/** Words of one kind, of `bits` bits, one a random choice. */
export interface Seen {
  readonly words: Words;
  readonly bits: number;
}

/** A secret: the inputs' words by name. */
export type Secret = Readonly<Record<string, bigint>>;

/** A run on one secret, of all randomness: what each coalition sees, and how many choices there are. */
export interface SecretRun {
  readonly choices: number;
  /** Choices that are best run at once. */
  readonly slice: number;
  /** The views of choices [first, first + count), a list of words for each coalition. */
  views(first: number, count: number): Promise<readonly (readonly Seen[])[]>;
}

/** A protocol on secrets, with all its randomness. */
export interface Step {
  readonly name: string;
  readonly secrets: readonly Secret[];
  /** Names of those who look at what they see together. */
  readonly coalitions: readonly string[];
  /** What a coalition may learn of a secret: nothing, or what it is given in the end. */
  readonly allowed: (secret: Secret, coalition: string) => string;
  readonly run: (secret: Secret) => Promise<SecretRun>;
}

export interface Secrecy {
  /** Largest statistical distance between what a coalition sees of two secrets that it may not tell apart; exact: a fraction over a power of two. */
  readonly distance: number;
  /** Distributions that were compared with that of another secret. */
  readonly compared: number;
  /** Random choices of a run. */
  readonly choices: number;
  /** Where the largest distance is, for people. */
  readonly where: string;
}

/**
 * Compares what every coalition sees, over all randomness, between secrets that it may not tell apart: each with the first of them, and so
 * between all. Throws RangeError where a view needs more than 53 bits, Error where no coalition has two secrets to compare.
 */
export async function secrecyOf({ name, secrets, coalitions, allowed, run }: Step): Promise<Secrecy> {
  let [distance, compared, choices, where] = [0, 0, 0, ""];
  const firsts = new Map<string, { readonly secret: Secret; readonly keys: Float64Array }>();
  for (const secret of secrets) {
    const made = await run(secret);
    choices = made.choices;
    const keys = coalitions.map(() => new Float64Array(choices));
    for (let first = 0; first < choices; first += made.slice) {
      const count = Math.min(made.slice, choices - first);
      const views = await made.views(first, count);
      views.forEach((view, at) => writeKeys(keys[at].subarray(first, first + count), view));
    }
    for (const [at, coalition] of coalitions.entries()) {
      const sorted = keys[at].sort();
      const group = JSON.stringify([coalition, allowed(secret, coalition)]);
      const before = firsts.get(group);
      if (before === undefined) {
        firsts.set(group, { secret, keys: sorted });
        continue;
      }
      compared++;
      const found = distanceOf(before.keys, sorted);
      if (found <= distance && where !== "") continue;
      distance = Math.max(distance, found);
      where = `${name}: ${coalition} tells ${said(before.secret)} from ${said(secret)} with advantage ${found}`;
    }
  }
  if (compared === 0) throw new Error(`${name}: expected secrets that a coalition may not tell apart, got none`);
  return { distance, compared, choices, where };
}

const said = (secret: Secret): string =>
  Object.entries(secret)
    .map(([name, word]) => `${name} = ${word}`)
    .join(", ");

/** Everything that is seen, as one number a random choice. Throws RangeError where it needs more than 53 bits. */
function writeKeys(keys: Float64Array, seen: readonly Seen[]): void {
  const bits = seen.reduce((sum, each) => sum + each.bits, 0);
  if (bits > 53) throw new RangeError(`views: expected at most 53 bits, got ${bits}`);
  for (const each of seen) {
    if (each.bits > 31) throw new RangeError(`views: expected words of at most 31 bits, got ${each.bits}`);
    const factor = 2 ** each.bits;
    const low = new Uint32Array(each.words.buffer, each.words.byteOffset, 2 * each.words.length);
    for (let i = 0; i < keys.length; i++) keys[i] = keys[i] * factor + (low[2 * i] & (factor - 1));
  }
}

/** Statistical distance of two sorted samples of one length that hold every choice once. */
function distanceOf(left: Float64Array, right: Float64Array): number {
  let [i, j, both] = [0, 0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      both++;
      i++;
      j++;
    } else if (left[i] < right[j]) i++;
    else j++;
  }
  return (left.length - both) / left.length;
}
