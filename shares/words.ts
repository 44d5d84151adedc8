/**
 * Ring words: elements of Z_{2^K}, K <= 64, kept in 64-bit words.
 *
 * A word stands for its residue mod 2^K; bits above K are garbage that only `shiftRight`, `reduce` and `pack` clear, so sums and
 * products need no masking. What a word *means* to who holds it is its brand: the four kinds must not be mixed.
 */
export type Words = BigUint64Array;

declare const meaning: unique symbol;

/** A party's additive share: any n - 1 of the n are uniform. */
export type ShareWords = Words & { readonly [meaning]: "share" };
/** The public word X = x + r mod 2^k of a masked wire. */
export type MaskedWords = Words & { readonly [meaning]: "masked" };
/** The mask r of a wire, which only the dealer knows. */
export type MaskWords = Words & { readonly [meaning]: "mask" };
/** A fixed-point value in the clear. */
export type ClearWords = Words & { readonly [meaning]: "clear" };

/** Words of some bits, packed without gaps, from bit `bitOffset` of `bytes` on. */
export interface PackedWords {
  readonly bytes: Uint8Array;
  readonly bitOffset: number;
}

/** The widest ring. */
export const MAX_RING_BITS = 64;

/** 2^bits - 1 as a word. */
export const lowBits = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
