import type { Attack } from "./attack.ts";
import { additiveDecode } from "./methods/additive-decode.ts";
import { beamInfill } from "./methods/beam-infill.ts";
import { bestOf } from "./methods/best-of.ts";
import { infill } from "./methods/infill.ts";
import { partialSoftmax } from "./methods/partial-softmax.ts";
import { shareWords } from "./methods/share-words.ts";

/** Every attack of the lab, by name. */
const ATTACKS: readonly Attack<unknown>[] = [
  bestOf(attackNamed),
  additiveDecode,
  beamInfill,
  infill,
  partialSoftmax,
  shareWords,
];

/** The attack of that name. Throws Error naming those that there are. */
export function attackNamed(name: string): Attack<unknown> {
  const found = ATTACKS.find((attack) => attack.name === name);
  if (found === undefined)
    throw new Error(`attack: expected one of ${ATTACKS.map((attack) => attack.name).join(", ")}, got ${name}`);
  return found;
}
