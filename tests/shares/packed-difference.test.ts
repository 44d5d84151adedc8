import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { TILE_WORDS } from "../../shares/kernel-memory.ts";
import { packDifference } from "../../shares/packed-difference.ts";
import { ringReference } from "../../shares/ring-reference.ts";
import type { Words } from "../../shares/words.ts";

const drawn = (length: number, bits: number, purpose: string): Words => {
  const words = new BigUint64Array(length);
  new Generator("packed difference", purpose).fillWords(words, bits);
  return words;
};

/** By definition; the streams are those of `skipped` words before. */
function check(length: number, bits: number, streams: number, skipped: number): void {
  const words = drawn(length, 64, "words");
  const before = words.slice();
  const expected = words.slice();
  const packed = Array.from({ length: streams }, (_, index) => {
    const share = drawn(skipped + length, bits, `stream ${index}`).subarray(skipped);
    ringReference.subtract(expected, expected, share);
    const generator = new Generator("packed difference", `stream ${index}`);
    generator.packedWords(skipped, bits);
    return generator.packedWords(length, bits);
  });
  const out = new Uint8Array(Math.ceil((length * bits) / 8));
  packDifference(out, words, packed, bits);
  assert.deepEqual(out, ringReference.pack(expected, bits));
  assert.deepEqual(words, before);
}

describe("a packed difference", () => {
  it("is that of the words and all streams mod 2^bits, for any bits, from any bit of a stream", () => {
    const counts = [fc.nat(40), fc.integer({ min: 1, max: 64 }), fc.nat(3), fc.nat(9)] as const;
    fc.assert(fc.property(...counts, check));
  });

  it("stays that where words fill several tiles of the kernels", () => {
    for (const length of [TILE_WORDS - 1, TILE_WORDS, 2 * TILE_WORDS + 3])
      for (const bits of [1, 47, 57, 58, 64]) check(length, bits, 2, 5);
  });

  it("refuses a stream or a place that is too short", () => {
    const stream = { bytes: new Uint8Array(6), bitOffset: 1 };
    const out = new Uint8Array(6);
    assert.throws(() => packDifference(out, new BigUint64Array(3), [stream], 16), /expected 49 bits, got 48/);
    assert.throws(() => packDifference(out.subarray(1), new BigUint64Array(3), [], 16), RangeError);
  });
});
