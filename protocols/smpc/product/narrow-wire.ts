/**
 * A narrow opened wire read in a larger ring. With x in [-2^(k-2), 2^(k-2)], X = x + r mod 2^k, A = (X + 2^(k-2) mod 2^k) - 2^(k-2),
 * u = 1 - msb(X + 2^(k-2) mod 2^k) and m = msb(r):
 *
 *   x = A - R,   R = r - 2^k u m,   exactly in every ring.
 *
 * Proof: X' = x + 2^(k-2) + r mod 2^k, where x' = x + 2^(k-2) is in [0, 2^(k-1)]; x' + r reaches 2^k only if r >= 2^(k-1) (m = 1), and
 * then X' = x' + r - 2^k < 2^(k-1) (u = 1). If m = u = 1 but the sum stays below 2^k, then X' >= r >= 2^(k-1): u = 0, a contradiction.
 * If m = 0 there is no wrap. So the wrap is u m.
 *
 * The quarter of the ring below 0 may be any other c >= 0: x in [-c, 2^(k-1) - c] and x' = x + c, by the same proof. Numbers that are not
 * negative, but for rounding, take c = 2^(k-5) and need one bit less.
 *
 * r in the larger ring: the parties' canonical mask shares add up to r + 2^k carry, so the dealer deals -carry.
 * Test: tests/protocols/smpc/extend.test.ts
 */
import { centreWords, liftWords } from "../../../shares/lift-kernels.ts";
import { ring } from "../../../shares/ring.ts";
import type { MaskedWords, MaskWords, ShareWords, Words } from "../../../shares/words.ts";

/** What everyone computes from X: words A (signed, mod 2^64) and u (0 or 1). */
export interface PublicLift {
  readonly centred: Words;
  readonly low: Words;
}

/** A and u of X, canonical words of `bits` >= 2 bits, for signed x. */
export function publicLift(masked: MaskedWords | Words, bits: number): PublicLift {
  const centred: Words = new BigUint64Array(masked.length);
  const low: Words = new BigUint64Array(masked.length);
  centreWords(centred, low, masked, bits);
  return { centred, low };
}

/** The same for x in [-2^(bits - 5), 15 * 2^(bits - 5)]; `bits` >= 5 (RangeError). */
export function publicLiftNonNegative(masked: MaskedWords | Words, bits: number): PublicLift {
  if (bits < 5) throw new RangeError(`non-negative wire: expected at least 5 bits, got ${bits}`);
  // Read as a signed wire of x less the difference between the two numbers c.
  const difference = (1n << BigInt(bits - 2)) - (1n << BigInt(bits - 5));
  const shifted: Words = new BigUint64Array(masked.length);
  ring.scale(shifted, masked, 1n, -difference);
  const lift = publicLift(shifted, bits);
  ring.scale(lift.centred, lift.centred, 1n, difference);
  return lift;
}

/** m: the top bit of each canonical mask of `bits` bits. */
export function topBits(mask: MaskWords | Words, bits: number): Words {
  const out: Words = new BigUint64Array(mask.length);
  ring.shiftRight(out, mask, bits, bits - 1, 0n);
  return out;
}

/** What the dealer deals so that mask shares add up to r in a larger ring. */
export function minusCarry(carry: Words): Words {
  const out: Words = new BigUint64Array(carry.length);
  ring.scale(out, carry, -1n, 0n);
  return out;
}

/** A party's share of R: r_i + 2^bits (c_i - u m_i); `minusCarries` and `tops` are its dealt words. */
export function liftedMask(
  mask: ShareWords | Words,
  bits: number,
  low: Words,
  minusCarries: Words,
  tops: Words,
): Words {
  const out: Words = new BigUint64Array(mask.length);
  liftWords(out, mask, bits, low, minusCarries, tops);
  return out;
}
