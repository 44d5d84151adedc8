import { runOf, type Member } from "./executed-plan.ts";
import type { DrawFault } from "./random-choices.ts";
import type { TinyPlan } from "./tiny-plans.ts";
import type { Secret, Step } from "./views.ts";

const wholeRing = (bits: number): bigint[] => Array.from({ length: 2 ** bits }, (_, value) => BigInt(value));

/** Every combination of the inputs' words. */
function secretsOf(inputs: Readonly<Record<string, number>>): Secret[] {
  let secrets: Secret[] = [{}];
  for (const [name, bits] of Object.entries(inputs))
    secrets = secrets.flatMap((secret) => wholeRing(bits).map((word) => ({ ...secret, [name]: word })));
  return secrets;
}

const partiesOf = (count: number): number[] => Array.from({ length: count }, (_, party) => party);

/** A tiny plan between `parties`, of which any n - 1 look at what they see together and may learn nothing. */
export function partiesStep({ name, inputs, planOf, slice }: TinyPlan, parties: number, fault?: DrawFault): Step {
  const all = partiesOf(parties);
  const coalitions = all.map((absent) => all.filter((party) => party !== absent));
  return {
    name: `${name}, n = ${parties}`,
    secrets: secretsOf(inputs),
    coalitions: coalitions.map(coalitionName),
    allowed: () => "",
    run: (secret) => runOf({ parties, planOf, slice, fault }, coalitions, secret),
  };
}

/** A plan whose row x y leaves, as some look at it together with who receives it: they may learn the row. */
export function receiverStep(
  { name, inputs, planOf, slice }: TinyPlan,
  parties: number,
  coalitions: readonly (readonly Member[])[],
  fault?: DrawFault,
): Step {
  return {
    name: `${name}, n = ${parties}`,
    secrets: secretsOf(inputs),
    coalitions: coalitions.map(coalitionName),
    allowed: ({ x, y }) => String(BigInt.asUintN(inputs.x, x * y)),
    run: (secret) => runOf({ parties, planOf, slice, fault }, coalitions, secret),
  };
}

/** "parties 0, 2 and the receiver" */
function coalitionName(members: readonly Member[]): string {
  const parties = members.filter((member) => typeof member === "number");
  const others = members.filter((member) => typeof member !== "number").map((member) => `the ${member}`);
  const named = parties.length === 0 ? [] : [`part${parties.length === 1 ? "y" : "ies"} ${parties.join(", ")}`];
  return [...named, ...others].join(" and ");
}
