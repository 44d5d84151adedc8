import { gateOf } from "./gate-of.ts";
import type { AnyInstruction, Gate } from "./gate.ts";
import type { Instruction } from "./instruction.ts";
import type { InfoOf, ValueId } from "./value.ts";

/** What a field of an instruction names: a value, or one in each of a list. */
type Field = ValueId | readonly { readonly x: ValueId }[];
type Fields = Readonly<Record<string, Field>>;

/** The values that an instruction of a gate reads, as the gate declares. */
export const readsOf = <I extends AnyInstruction>({ operands }: Gate<I>, instruction: I): ValueId[] =>
  Object.keys(operands).flatMap((name) => {
    const field = (instruction as unknown as Fields)[name];
    return typeof field === "number" ? [field] : field.map(({ x }) => x);
  });

/** The values that an instruction reads. */
export const operandsOf = (instruction: Instruction): ValueId[] => readsOf(gateOf(instruction), instruction);

/** What an instruction needs of each value that it reads, in bits, where `need` bits of what it makes are needed. */
export function demandsOf(
  instruction: Instruction,
  need: number,
  info: InfoOf,
): readonly (readonly [ValueId, number])[] {
  const { operands } = gateOf(instruction);
  return Object.entries(operands).flatMap(([name, demand]) => {
    const field = (instruction as unknown as Fields)[name];
    if (typeof field === "number") return [[field, demand(need, instruction, info)]];
    return field.map((term) => [term.x, demand(need, term)]);
  });
}

/** The same instruction on other values. */
export function withValues(instruction: Instruction, of: (id: ValueId) => ValueId): Instruction {
  const copy: Record<string, unknown> = { ...instruction };
  for (const name of [...Object.keys(gateOf(instruction).operands), ...("out" in instruction ? ["out"] : [])]) {
    const field = copy[name] as Field;
    copy[name] = typeof field === "number" ? of(field) : field.map((term) => ({ ...term, x: of(term.x) }));
  }
  return copy as unknown as Instruction;
}
