import type { ValueId } from "./value.ts";

/** The words of a value would have to be wider than a ring can be: the caller lowers a precision and tries again. */
export class RingBudgetError extends Error {
  override readonly name = "RingBudgetError";
  /** The values, where a builder found them. */
  readonly values: readonly ValueId[];

  constructor(message: string, values: readonly ValueId[] = []) {
    super(message);
    this.values = values;
  }
}
