import { didYouMean } from "../../protocols/fusion/config/did-you-mean.ts";
import type { Attack } from "./attack.ts";
import { additiveDecode } from "./methods/additive-decode.ts";
import { beamInfill } from "./methods/beam-infill.ts";
import { bestOf } from "./methods/best-of.ts";
import { gapMatch } from "./methods/gap-match.ts";
import { infill } from "./methods/infill.ts";
import { jointDecode } from "./methods/joint-decode.ts";
import { kvMatch } from "./methods/kv-match.ts";
import { lp } from "./methods/lp.ts";
import { neighbours } from "./methods/neighbours.ts";
import { partialSoftmax } from "./methods/partial-softmax.ts";
import { rankMatch } from "./methods/rank-match.ts";
import { reusedMergeMasks } from "./methods/reused-merge-masks.ts";
import { rowDecode } from "./methods/row-decode.ts";
import { rowInvert } from "./methods/row-invert.ts";
import { shareWords } from "./methods/share-words.ts";
import { takenWords } from "./methods/taken-words.ts";
import { vocabMatch } from "./methods/vocab-match.ts";

/** Every attack of the lab, by name. */
const ATTACKS: readonly Attack<unknown>[] = [
  bestOf(attackNamed),
  additiveDecode,
  beamInfill,
  gapMatch,
  infill,
  jointDecode,
  kvMatch,
  lp,
  neighbours,
  partialSoftmax,
  rankMatch,
  reusedMergeMasks,
  rowDecode,
  rowInvert,
  shareWords,
  takenWords,
  vocabMatch,
];

/** The names of all attacks. */
export const attackNames = (): string[] => ATTACKS.map(({ name }) => name);

/** Every attack's name, what it works on and how far it goes. */
export const attackStrengths = (): Pick<Attack<unknown>, "name" | "strength" | "reads">[] =>
  ATTACKS.map(({ name, strength, reads }) => ({ name, strength, reads }));

/** The attack of that name. Throws Error naming those that there are, and the nearest. */
export function attackNamed(name: string): Attack<unknown> {
  const found = ATTACKS.find((attack) => attack.name === name);
  if (found !== undefined) return found;
  const names = attackNames();
  throw new Error(`attack: expected one of ${names.join(", ")}, got ${name}${didYouMean(name, names)}`);
}
