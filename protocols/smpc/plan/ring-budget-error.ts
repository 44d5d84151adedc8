import type { ValueId } from "./value.ts";

/**
 * The words of a value would have to be wider than a ring can be, or a plan asks for more than plan-limits.ts allows. The lowering lowers
 * a precision and tries again, unless the error is final.
 */
export class RingBudgetError extends Error {
  override readonly name = "RingBudgetError";
  /** The values, where a builder found them. */
  readonly values: readonly ValueId[];
  /** Nothing that the lowering could lower changes it. */
  readonly isFinal: boolean;

  constructor(
    message: string,
    { values = [], isFinal = false }: { values?: readonly ValueId[]; isFinal?: boolean } = {},
  ) {
    super(message);
    this.values = values;
    this.isFinal = isFinal;
  }
}
