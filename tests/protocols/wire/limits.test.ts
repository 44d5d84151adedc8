import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_LIMITS, wireLimits } from "../../../protocols/wire/limits.ts";

describe("wireLimits", () => {
  it("replaces what it is given", () => {
    assert.deepEqual(wireLimits({ receiveMs: 5 }), { ...DEFAULT_LIMITS, receiveMs: 5 });
  });

  it("refuses what is no bound, or does not fit the frame header", () => {
    for (const value of [0, -1, 1.5, Infinity, NaN]) {
      assert.throws(
        () => wireLimits({ highWaterBytes: value }),
        /highWaterBytes: expected a positive whole number, got/,
      );
    }
    assert.throws(() => wireLimits({ chunkBytes: 100 }), /chunkBytes: expected a multiple of 8, got 100/);
    assert.throws(() => wireLimits({ chunkBytes: 2 ** 31 }), /chunkBytes: expected less than 2 GiB/);
    assert.throws(() => wireLimits({ maxTensorBytes: 2 ** 32 }), /maxTensorBytes: expected less than 2 GiB/);
  });
});
