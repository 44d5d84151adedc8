/**
 * Bounds of the columns of a value as text, one digit of base 36 a column: digit n says at most 2^((n - 8) / 2), and z that there is no
 * bound. Ranges travel in files and in session descriptions, where a number for each of some thousand neurons would be most of them.
 */
const OFFSET = 8;
const UNBOUNDED = 35;
/** Half bits in a bit. */
const STEPS = 2;

/** Largest magnitudes [columns] as text, rounded up to half bits and to at least 2^-4. */
export const encodeColumns = (maxAbs: Float64Array): string =>
  Array.from(maxAbs, (value) => {
    const digit = Math.max(0, Math.ceil(STEPS * Math.log2(value)) + OFFSET);
    return (digit < UNBOUNDED ? digit : UNBOUNDED).toString(UNBOUNDED + 1);
  }).join("");

/** Bounds [columns] from their text; Infinity where there is none. */
export const columnBounds = (text: string): Float64Array =>
  Float64Array.from(text, (letter) => {
    const digit = parseInt(letter, UNBOUNDED + 1);
    return digit === UNBOUNDED ? Infinity : 2 ** ((digit - OFFSET) / STEPS);
  });
