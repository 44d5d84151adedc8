import type { UniformWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";
import { CountedBits, EveryWord } from "./every-word.ts";

/** Words of one kind, of `bits` bits, one a random choice. */
export interface Seen {
  readonly words: Words;
  readonly bits: number;
}

/** What a run shows: to every party its own words, and to all of them what was sent to all. */
export interface Views {
  readonly own: readonly (readonly Seen[])[];
  readonly everyone: readonly Seen[];
}

/** A protocol step on secret words (all the same secret), with randomness that the caller chooses. */
export interface Step {
  readonly name: string;
  readonly parties: number;
  readonly secrets: readonly bigint[];
  run(secret: Words, random: UniformWords): Views | Promise<Views>;
}

export interface Secrecy {
  /** Largest statistical distance between what n - 1 parties see of two secrets; exact: a fraction over a power of two. */
  readonly distance: number;
  /** Distributions that were compared with that of the first secret. */
  readonly compared: number;
  /** Where the largest distance is, for people. */
  readonly where: string;
}

/** Compares what every n - 1 parties see, over all randomness, between every secret and the first one, and so between all. */
export async function secrecyOf(step: Step): Promise<Secrecy> {
  const counted = new CountedBits();
  await step.run(new BigUint64Array(1), counted);
  let [distance, compared, where] = [0, 0, ""];
  const first: Float64Array[] = [];
  for (const [index, secret] of step.secrets.entries()) {
    const random = new EveryWord(counted.totalBits);
    const views = await step.run(new BigUint64Array(random.count).fill(secret), random);
    random.finish();
    for (let absent = 0; absent < step.parties; absent++) {
      const keys = keysOf(views, absent);
      if (index === 0) {
        first.push(keys);
        continue;
      }
      compared++;
      const found = distanceOf(first[absent], keys);
      if (found > distance || where === "") {
        distance = Math.max(distance, found);
        where = `${step.name}: all parties but ${absent} tell ${step.secrets[0]} from ${secret} with advantage ${found}`;
      }
    }
  }
  return { distance, compared, where };
}

/** Everything that all parties but one see, as one sorted number a random choice. Throws RangeError where it needs more than 53 bits. */
function keysOf({ own, everyone }: Views, absent: number): Float64Array {
  const seen = [...everyone, ...own.filter((_, party) => party !== absent).flat()];
  const bits = seen.reduce((sum, each) => sum + each.bits, 0);
  if (bits > 53) throw new RangeError(`views: expected at most 53 bits, got ${bits}`);
  const keys = new Float64Array(seen[0].words.length);
  for (const each of seen) {
    const factor = 2 ** each.bits;
    for (let i = 0; i < keys.length; i++) keys[i] = keys[i] * factor + Number(BigInt.asUintN(each.bits, each.words[i]));
  }
  return keys.sort();
}

/** Statistical distance of two samples of one length that hold every choice once. */
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
