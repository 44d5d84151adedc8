import type { Lemma } from "../lemma.ts";
import type { Widths } from "../widths.ts";
import { differenceLemmas } from "./differences.ts";
import { extendEverywhere, extendLemmas } from "./extend.ts";
import { narrowProductLemmas } from "./narrow-products.ts";
import { productLemmas } from "./products.ts";
import { shiftLemmas } from "./shift.ts";
import { windowLemmas } from "./windows.ts";

const NO_WIDTHS: Widths = {
  shifts: [],
  extensions: [],
  windows: [],
  products: [],
  narrowProducts: [],
  squares: [],
  differences: [],
};

/** Names of all lemmas, whatever widths are in use. */
export const lemmaNames = (): string[] => every(NO_WIDTHS).map(({ name }) => name);

/** Every lemma, and every statement that must not hold, for these widths; those without a width in use are left out. */
export const allLemmas = (widths: Widths): Lemma[] => every(widths).filter(({ queries }) => queries.length > 0);

function every(widths: Widths): Lemma[] {
  return [
    ...shiftLemmas(widths),
    ...extendLemmas(widths),
    extendEverywhere(),
    ...windowLemmas(widths),
    ...differenceLemmas(widths),
    ...productLemmas(widths),
    ...narrowProductLemmas(widths),
  ];
}
