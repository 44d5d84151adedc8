import type { Lemma } from "../lemma.ts";
import { NO_WIDTHS, type WidthsInUse } from "../widths.ts";
import { clientLemmas } from "./client.ts";
import { differenceLemmas } from "./differences.ts";
import { extendLemmas } from "./extend.ts";
import { liftLemmas } from "./lift.ts";
import { linearLemmas } from "./linear.ts";
import { narrowProductLemmas } from "./narrow-products.ts";
import { productLemmas } from "./products.ts";
import { publicProductLemmas } from "./public-products.ts";
import { roundingLemmas } from "./rounding.ts";
import { shiftLemmas } from "./shift.ts";
import { squareScaleLemmas } from "./square-scale.ts";
import { squareLemmas } from "./squares.ts";
import { windowLemmas } from "./windows.ts";

/**
 * Every lemma, for rings and wires of these bits, and every statement that must not hold, for the widths in use; those without one are
 * left out.
 */
export const allLemmas = (rings: readonly number[], inUse: WidthsInUse): Lemma[] =>
  every(rings, inUse).filter(({ queries }) => queries.length > 0);

/** What every lemma is called, and the gates that it is about, whatever widths there are. */
export const lemmaHeads = (): Pick<Lemma, "name" | "gates" | "expected">[] => every([], NO_WIDTHS);

function every(rings: readonly number[], inUse: WidthsInUse): Lemma[] {
  return [
    ...linearLemmas(rings),
    ...differenceLemmas(rings),
    ...roundingLemmas(rings),
    ...shiftLemmas(rings, inUse),
    ...liftLemmas(rings),
    ...extendLemmas(rings, inUse),
    ...productLemmas(rings, inUse),
    ...publicProductLemmas(rings, inUse),
    ...narrowProductLemmas(rings, inUse),
    ...squareLemmas(rings, inUse),
    ...squareScaleLemmas(rings, inUse),
    ...windowLemmas(rings, inUse),
    ...clientLemmas(rings, inUse),
  ];
}
