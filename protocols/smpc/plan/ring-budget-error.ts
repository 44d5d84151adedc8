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
  /** Rings are wide enough, and a table would be too large or a series can't be fitted: fewer bits of its wire may help. */
  readonly isRefusal: boolean;
  /** The layers that have such a fault, where more than the one of the message are known; ascending. */
  readonly layers: readonly number[];

  constructor(
    message: string,
    {
      values = [],
      isFinal = false,
      isRefusal = false,
      layers = [],
    }: {
      values?: readonly ValueId[];
      isFinal?: boolean;
      isRefusal?: boolean;
      layers?: readonly number[];
    } = {},
  ) {
    super(message);
    this.values = values;
    this.isFinal = isFinal;
    this.isRefusal = isRefusal;
    this.layers = layers;
  }
}
