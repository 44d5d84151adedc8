import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Generator } from "../../shares/generator.ts";
import { joinShares, splitWords } from "../../shares/sharing.ts";
import { lowBits } from "../../shares/words.ts";

const words = fc.array(fc.bigInt({ min: 0n, max: lowBits(64) }), { maxLength: 40 });

describe("additive sharing", () => {
  it("joins to the residues of what was split, for any number of parties and ring", () => {
    fc.assert(
      fc.property(
        words,
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 2, max: 5 }),
        (values, ringBits, parties) => {
          const shares = splitWords(BigUint64Array.from(values), ringBits, parties, new Generator("seed", "sharing"));
          assert.equal(shares.length, parties);
          for (const share of shares) for (const word of share) assert.ok(word <= lowBits(ringBits));
          assert.deepEqual(
            [...joinShares(shares, ringBits)],
            values.map((value) => value & lowBits(ringBits)),
          );
        },
      ),
    );
  });

  it("gives all parties but the last the words of the generator", () => {
    const shares = splitWords(new BigUint64Array([1n, 2n, 3n]), 20, 3, new Generator("s", "p"));
    const expected = new BigUint64Array(6);
    new Generator("s", "p").fillWords(expected, 20);
    assert.deepEqual([...shares[0], ...shares[1]], [...expected]);
  });

  it("refuses one party, no shares and shares of differing length", () => {
    const random = new Generator("s", "p");
    assert.throws(() => splitWords(new BigUint64Array(1), 8, 1, random), /expected 2 parties or more, got 1/);
    assert.throws(() => joinShares([], 8), /expected the shares of all parties, got none/);
    assert.throws(() => joinShares([new BigUint64Array(1), new BigUint64Array(2)], 8), /expected .*of one length/);
  });
});
