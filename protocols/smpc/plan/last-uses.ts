import type { Plan } from "./instruction.ts";
import type { ValueId } from "./value.ts";
import { operandsOf } from "./operands.ts";

/** Which values an instruction is the last to read: a walk drops them, so that memory holds one layer and not the whole model. */
export class LastUses {
  readonly #dropped = new Map<number, ValueId[]>();

  constructor({ instructions, levels }: Plan) {
    const last = new Map<ValueId, number>();
    // A walk runs level by level, and opens at the end of a level.
    const order = instructions.map((_, index) => index).sort((a, b) => key(a) - key(b) || a - b);
    function key(index: number): number {
      return levels[index] * 2 + (instructions[index].gate === "open" ? 1 : 0);
    }
    for (const index of order) for (const id of operandsOf(instructions[index])) last.set(id, index);
    for (const [id, index] of last) this.#dropped.set(index, [...(this.#dropped.get(index) ?? []), id]);
  }

  /** Drops the values that nothing after instruction `index` reads. */
  release(index: number, values: Map<ValueId, unknown>): void {
    for (const id of this.#dropped.get(index) ?? []) values.delete(id);
  }
}
