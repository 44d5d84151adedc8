import type { ValueId } from "../plan/value.ts";
import type { Lowering } from "./lowering.ts";

/** Bits that a wire's words need above its ring for the check: a row whose values wrapped round 4, 8, ... times in sum passes. */
export const WRAP_BITS = 2;
/** Bits kept below: every party's shift adds a unit at most, 8 of 64. */
const BELOW_BITS = 6;

/**
 * Lets the owner of a row see that values of it didn't fit their wire. `words`: shares [rows, columns] that were opened to a wire of
 * `bits`, in a ring of WRAP_BITS more; `extended`: the wire read as a share again. Their difference is a multiple of 2^bits, and 0
 * where every value fitted: its sum over the row goes out, 8 bits a row and party.
 */
export function checkWraps(
  at: Lowering,
  {
    words,
    extended,
    bits,
    site,
  }: { readonly words: ValueId; readonly extended: ValueId; readonly bits: number; readonly site: string },
): void {
  const { builder } = at;
  const { rows, columns, fracBits } = builder.info(words);
  const difference = builder.share(rows, columns, fracBits);
  const terms = [
    { x: extended, factor: 1 },
    { x: words, factor: -1 },
  ];
  builder.emit({ gate: "combine", terms, out: difference });
  const sum = builder.share(rows, 1, fracBits);
  // A row of attention entries sees `window` of them: so many columns are a row here.
  const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: rows, past: columns - 1, causal: true, window: columns };
  builder.emit({ gate: "row-sum", x: difference, out: sum, layout });
  const wrapped = 2 ** (bits - fracBits);
  const output = `wraps.${site}`;
  builder.emit({
    gate: "output",
    x: at.atFracBits(sum, fracBits - (bits - BELOW_BITS)),
    name: output,
    bits: WRAP_BITS + BELOW_BITS,
  });
  builder.check({ output, expected: 0, tolerance: wrapped / 4, site });
}
