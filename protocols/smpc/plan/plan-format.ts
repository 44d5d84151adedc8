import type { InstructionOf, Plan } from "./instruction.ts";
import { PLAN_INPUT } from "../lowering/lower-layers.ts";
import type { SegmentFormat } from "./placement.ts";
import { shareOf } from "./value.ts";

/** How shares enter and leave a plan of `rows` rows. Throws Error where it has no input. */
export function planFormat(plan: Plan, rows: number): SegmentFormat {
  const { instructions, values, checks, sites } = plan;
  const input = instructions.find(
    (instruction): instruction is InstructionOf<"input"> =>
      instruction.gate === "input" && instruction.name === PLAN_INPUT,
  );
  const own = instructions.find(
    (instruction): instruction is InstructionOf<"client-input"> => instruction.gate === "client-input",
  );
  const first = input ?? own;
  if (first === undefined) throw new Error(`plan: expected an input called ${PLAN_INPUT}, got none`);
  const { columns } = values[first.out];
  const { ringBits, fracBits } = input === undefined ? { ringBits: 0, fracBits: 0 } : shareOf(values[input.out]);
  const outputs = instructions.filter(
    (instruction): instruction is InstructionOf<"output"> => instruction.gate === "output",
  );
  const checked = new Map(checks.map((check) => [check.output, check]));
  return {
    columns,
    inputBits: input === undefined ? 0 : Math.max(1, ringBits),
    inputFracBits: fracBits,
    outputs: outputs
      .filter(({ name }) => !checked.has(name))
      .map(({ name, x, bits }) => {
        const site = sites.find(({ value }) => value === x)?.site ?? name;
        return { name, site, columns: values[x].columns, bits, fracBits: values[x].fracBits };
      }),
    checks: outputs
      .filter(({ name }) => checked.has(name))
      .map(({ name, x, bits }) => {
        const { site, expected, tolerance } = checked.get(name)!;
        return { name, site, perRow: values[x].rows / rows, bits, fracBits: values[x].fracBits, expected, tolerance };
      }),
  };
}
