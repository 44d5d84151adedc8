import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { beyondFloat16, float16Bits, roundToFloat16, widenFloat16 } from "../../../protocols/wire/float16.ts";
import { runs } from "./property-runs.ts";

const ALL_WORDS = Uint16Array.from({ length: 65_536 }, (_, word) => word);
const ALL_VALUES = widenFloat16(ALL_WORDS);

describe("float16", () => {
  it("has these words", () => {
    for (const [value, word] of [
      [0, 0x0000],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65_504, 0x7bff],
      [2 ** -14, 0x0400],
      [2 ** -24, 0x0001],
      [1 / 3, 0x3555],
      [Infinity, 0x7c00],
      [-Infinity, 0xfc00],
      [NaN, 0x7e00],
    ]) {
      assert.equal(float16Bits(value), word, String(value));
    }
  });

  it("keeps every word but NaN's payload through widening and rounding", () => {
    const again = new Uint16Array(65_536);
    roundToFloat16(ALL_VALUES, again);
    for (const word of ALL_WORDS) {
      if (Number.isNaN(ALL_VALUES[word])) assert.equal(again[word] & 0x7fff, 0x7e00);
      else assert.equal(again[word], word);
    }
  });

  it("rounds halfway to the even neighbour, and just beyond to the nearer one", () => {
    for (let word = 0; word < 0x7bff; word++) {
      const below = ALL_VALUES[word];
      const above = ALL_VALUES[word + 1];
      const middle = (below + above) / 2;
      const even = word & 1 ? word + 1 : word;
      assert.equal(float16Bits(middle), even);
      assert.equal(float16Bits(-middle), even | 0x8000);
      const step = (above - below) / 64;
      assert.equal(float16Bits(middle - step), word);
      assert.equal(float16Bits(middle + step), word + 1);
    }
    assert.equal(float16Bits(65_519.99), 0x7bff);
    assert.equal(float16Bits(65_520), 0x7c00);
    assert.equal(float16Bits(2 ** -25), 0);
    assert.equal(float16Bits(2 ** -25 * 1.001), 1);
  });

  it("takes every float32 to a nearest word", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -65_504, max: 65_504 }), (value) => {
        const word = float16Bits(value);
        const error = Math.abs(ALL_VALUES[word] - value);
        for (const neighbour of [word - 1, word + 1]) {
          const other = ALL_VALUES[neighbour & 0xffff];
          if (Number.isFinite(other))
            assert.ok(error <= Math.abs(other - value), `${value} became ${ALL_VALUES[word]}`);
        }
      }),
      runs(5000),
    );
  });

  it("finds the first finite value that would become infinite", () => {
    const value = fc.oneof(fc.double({ min: 65_500, max: 65_540 }), fc.constant(1e300), fc.double());
    fc.assert(
      fc.property(fc.array(value), (values) => {
        const expected = values.findIndex((x) => Number.isFinite(x) && (float16Bits(x) & 0x7fff) === 0x7c00);
        assert.equal(beyondFloat16(values), expected);
      }),
      runs(200),
    );
  });
});
