import { isWaitedFor, type Plan } from "./instruction.ts";
import { operandsOf } from "./operands.ts";
import type { ValueId } from "./value.ts";

/** Which values an instruction is the last to read: a walk drops them, so that memory holds one layer and not the whole model. */
export class LastUses {
  /** Indices of the instructions as a walk runs them: level by level, messages at the end of a level. */
  readonly order: readonly number[];
  readonly #dropped = new Map<number, ValueId[]>();

  constructor({ instructions, levels }: Plan) {
    const key = (index: number): number => levels[index] * 2 + (isWaitedFor(instructions[index]) ? 1 : 0);
    this.order = instructions.map((_, index) => index).sort((a, b) => key(a) - key(b) || a - b);
    const last = new Map<ValueId, number>();
    for (const index of this.order) for (const id of operandsOf(instructions[index])) last.set(id, index);
    for (const [id, index] of last) this.#dropped.set(index, [...(this.#dropped.get(index) ?? []), id]);
  }

  /** The values that nothing after instruction `index` reads. */
  dropped(index: number): readonly ValueId[] {
    return this.#dropped.get(index) ?? [];
  }

  /** Drops them. */
  release(index: number, values: Map<ValueId, unknown>): void {
    for (const id of this.dropped(index)) values.delete(id);
  }
}
