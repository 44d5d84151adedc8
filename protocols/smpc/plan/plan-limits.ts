/** Bounds of what a plan may ask for, from honest ranges and from a description that somebody sent alike. */

/** Bits of a wire that a table is looked up by: the table has 2^bits entries, of up to 8 bytes each. */
export const LEAST_INDEX_BITS = 2;
export const MOST_INDEX_BITS = 24;

/** Bytes of all public tables of a plan: one layer takes some 12 MB. */
export const MOST_TABLE_BYTES = 2 ** 30;

/** Bytes that are dealt for a plan, to one party, which holds them in one array. */
export const MOST_DEALT_BYTES = 2 ** 32 - 1;

/** Bytes of the values that a party holds at a time. */
export const MOST_VALUE_BYTES = 2 ** 32;
