import type { ClientFactors } from "../plan/gate.ts";

/** What the client brings into a plan of which it evaluates gates, and takes out of it. */
export interface ClientValues {
  readonly model: ClientFactors;
  /** Its rows by the name of their client-input, [rows * columns]. */
  readonly inputs: Readonly<Record<string, Float64Array>>;
  /** K and V rows of the steps before, by key. */
  readonly kept: Map<string, Float64Array>;
}

/** Of a plan in which the client evaluates nothing. */
export const noClientValues = (): ClientValues => ({
  model: {
    vector: (name) => {
      throw new Error(`${name}: expected a plan without gates at the client, got one that reads a vector there`);
    },
    columnNorms: ({ weight }) => {
      throw new Error(
        `${weight}: expected a plan without gates at the client, got one that reads a matrix's norms there`,
      );
    },
  },
  inputs: {},
  kept: new Map(),
});
