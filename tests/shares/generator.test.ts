import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { ringReference } from "../../shares/ring-reference.ts";

/** The stream as defined: AES-128-CTR over zeros. */
function stream(seed: string, purpose: string, length: number): Uint8Array {
  const key = createHash("sha256").update(`${seed}\0${purpose}`).digest();
  const cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16));
  return cipher.update(new Uint8Array(length));
}

describe("the generator", () => {
  it("fills bytes with AES-128-CTR, in pieces of any size", () => {
    for (const sizes of [[0, 1, 15, 16, 17], [70_000, 65_536, 3], [200_000]]) {
      const generator = new Generator("seed", "bytes");
      const pieces = sizes.map((size) => {
        const piece = new Uint8Array(size);
        generator.fillBytes(piece);
        return piece;
      });
      const total = sizes.reduce((sum, size) => sum + size, 0);
      assert.deepEqual(Buffer.concat(pieces), Buffer.from(stream("seed", "bytes", total)));
    }
  });

  it("draws words of any width from the bits of the stream, in pieces of any size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.nat(50), { maxLength: 6 }), (bits, sizes) => {
        const generator = new Generator("seed", "words");
        const drawn = sizes.flatMap((size) => {
          const piece = new BigUint64Array(size);
          generator.fillWords(piece, bits);
          return [...piece];
        });
        const expected = new BigUint64Array(drawn.length);
        ringReference.unpack(expected, stream("seed", "words", Math.ceil((drawn.length * bits) / 8)), bits, 0);
        assert.deepEqual(drawn, [...expected]);
      }),
    );
  });
});
