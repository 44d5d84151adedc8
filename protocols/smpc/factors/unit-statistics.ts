import { ParameterStatistics } from "./parameter-statistics.ts";

/** Sizes of 1 of whatever is asked for, in the shapes that parameters have: what depends on no weights can be known before they are read. */
export class UnitStatistics extends ParameterStatistics {
  constructor(shapeOf: (name: string) => readonly number[]) {
    super((name) => ({ data: Float32Array.of(1), shape: shapeOf(name) }));
  }

  override largestColumn(): { norm: number; bias: number } {
    return { norm: 1, bias: 1 };
  }
}
