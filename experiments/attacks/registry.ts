import { didYouMean } from "../../protocols/fusion/config/did-you-mean.ts";
import type { Attack } from "../lab/attack.ts";
import { additiveDecode } from "./additive-decode/attack.ts";
import { beamInfill } from "./beam-infill/attack.ts";
import { bestOf } from "./best-of/attack.ts";
import { gapMatch } from "./gap-match/attack.ts";
import { infill } from "./infill/attack.ts";
import { jointDecode } from "./joint-decode/attack.ts";
import { kvMatch } from "./kv-match/attack.ts";
import { lp } from "./lp/attack.ts";
import { neighbours } from "./neighbours/attack.ts";
import { partialSoftmax } from "./partial-softmax/attack.ts";
import { rankMatch } from "./rank-match/attack.ts";
import { reusedMergeMasks } from "./reused-merge-masks/attack.ts";
import { rowDecode } from "./row-decode/attack.ts";
import { rowInvert } from "./row-invert/attack.ts";
import { shareWords } from "./share-words/attack.ts";
import { takenWords } from "./taken-words/attack.ts";
import { vocabMatch } from "./vocab-match/attack.ts";

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
