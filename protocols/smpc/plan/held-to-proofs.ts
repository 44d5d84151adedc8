import { gateOf } from "./gate-of.ts";
import type { ValueId, ValueInfo } from "./value.ts";
import type { Plan } from "./instruction.ts";
import { PROVED_WIDTHS, type Interval } from "./proved-widths.ts";

/**
 * The plan itself, if lemmas cover every width in it. Throws RangeError that names the gate and the width that none covers: such a plan
 * would compute what nobody has shown to be right, so it is refused rather than run with a warning.
 */
export function heldToProofs(plan: Plan): Plan {
  const info = (id: ValueId): ValueInfo => plan.values[id];
  for (const instruction of plan.instructions) {
    const proved: Readonly<Record<string, Interval>> = PROVED_WIDTHS[instruction.gate];
    const widths: Readonly<Record<string, number>> = gateOf(instruction).widths(instruction, info);
    for (const [name, [least, most]] of Object.entries(proved)) {
      const width = widths[name];
      if (!(width >= least && width <= most))
        throw new RangeError(
          `${instruction.gate}: expected ${name} from ${least} to ${most}, as far as its lemmas reach, got ${width}; take a coarser precision or narrower ranges`,
        );
    }
  }
  return plan;
}
