/**
 * What a dealer sends: words minus what seeds expand to, packed, in WebAssembly. Test: tests/shares/packed-difference.test.ts
 */
import { kernels, memory, SLOTS, TILE_WORDS } from "./kernel-memory.ts";
import type { PackedWords, Words } from "./words.ts";

const [WORDS, PACKED] = SLOTS;

/**
 * Writes words - (the words of all `streams`, element by element) mod 2^bits to `out`, packed as ring.pack does:
 * ceil(words.length * bits / 8) bytes, 1 to 64 bits. RangeError for too short a stream or `out`.
 */
export function packDifference(out: Uint8Array, words: Words, streams: readonly PackedWords[], bits: number): void {
  for (const { bytes, bitOffset } of streams)
    if (bitOffset + words.length * bits > bytes.length * 8)
      throw new RangeError(
        `packed difference: expected ${bitOffset + words.length * bits} bits, got ${bytes.length * 8}`,
      );
  for (let from = 0; from < words.length; from += TILE_WORDS) {
    const to = Math.min(words.length, from + TILE_WORDS);
    memory.words.set(words.subarray(from, to), WORDS / 8);
    for (const { bytes, bitOffset } of streams) {
      const firstBit = bitOffset + from * bits;
      memory.bytes.set(bytes.subarray(Math.floor(firstBit / 8), Math.ceil((bitOffset + to * bits) / 8)), PACKED);
      kernels.subtractPacked(WORDS, PACKED, bits, firstBit % 8, to - from);
    }
    kernels.pack(PACKED, WORDS, bits, to - from);
    // A whole tile takes whole bytes, whatever the bits.
    out.set(memory.bytes.subarray(PACKED, PACKED + Math.ceil(((to - from) * bits) / 8)), (from * bits) / 8);
  }
}
