import type { Attack } from "./attack.ts";
import { bestOf } from "./methods/best-of.ts";
import { shareWords } from "./methods/share-words.ts";

/** Every attack of the lab, by name. */
const ATTACKS: readonly Attack<unknown>[] = [bestOf(attackNamed), shareWords];

/** The attack of that name. Throws Error naming those that there are. */
export function attackNamed(name: string): Attack<unknown> {
  const found = ATTACKS.find((attack) => attack.name === name);
  if (found === undefined)
    throw new Error(`attack: expected one of ${ATTACKS.map((attack) => attack.name).join(", ")}, got ${name}`);
  return found;
}
