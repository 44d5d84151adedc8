/**
 * The inner loops of reading a narrow wire in a larger ring (protocols/smpc/product/narrow-wire.ts), in one pass in WebAssembly.
 * Test: tests/shares/lift-kernels.test.ts
 */
import { kernels, memory, SLOTS, TILE_WORDS } from "./kernel-memory.ts";
import type { Words } from "./words.ts";

const [FIRST, SECOND, THIRD, FOURTH] = SLOTS;

/** Copies words [from, to) to a slot. */
function load(words: Words, from: number, to: number, slot: number): void {
  memory.words.set(from === 0 && to === words.length ? words : words.subarray(from, to), slot / 8);
}

/** Copies words from a slot to [from, to) of `out`. */
function save(out: Words, from: number, to: number, slot: number): void {
  out.set(memory.words.subarray(slot / 8, slot / 8 + to - from), from);
}

/** centred = X' - 2^(bits-2) as a signed word, low = 1 - msb(X'), X' = X + 2^(bits-2) mod 2^bits; 2 <= bits <= 64 (RangeError). */
export function centreWords(centred: Words, low: Words, masked: Words, bits: number): void {
  checkBits(bits);
  for (let from = 0; from < masked.length; from += TILE_WORDS) {
    const to = Math.min(masked.length, from + TILE_WORDS);
    load(masked, from, to, FIRST);
    kernels.centreWords(FIRST, SECOND, bits, to - from);
    save(centred, from, to, FIRST);
    save(low, from, to, SECOND);
  }
}

/** out = r + 2^bits (c - u m), u 0 or 1; 2 <= bits <= 64 (RangeError). */
export function liftWords(out: Words, mask: Words, bits: number, low: Words, minusCarries: Words, tops: Words): void {
  checkBits(bits);
  for (let from = 0; from < out.length; from += TILE_WORDS) {
    const to = Math.min(out.length, from + TILE_WORDS);
    load(mask, from, to, FIRST);
    load(low, from, to, SECOND);
    load(minusCarries, from, to, THIRD);
    load(tops, from, to, FOURTH);
    kernels.liftWords(FIRST, SECOND, THIRD, FOURTH, bits, to - from);
    save(out, from, to, FIRST);
  }
}

function checkBits(bits: number): void {
  if (!(bits >= 2 && bits <= 64)) throw new RangeError(`lift kernel: expected 2 to 64 bits, got ${bits}`);
}
