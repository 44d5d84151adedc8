/** Rows into the parties and out of them again: nothing lost, nothing shown to a party, nobody else's rows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { handOverBytes, joinRows, packRows } from "../../../protocols/smpc/run/hand-over.ts";
import type { SegmentFormat } from "../../../protocols/smpc/plan/placement.ts";
import { shareFrom, shareMessageBytes, shareRows } from "../../../protocols/smpc/run/share-rows.ts";

const FORMAT: SegmentFormat = {
  columns: 5,
  inputBits: 43,
  inputFracBits: 16,
  outputs: [
    { name: "rows", site: "layers.0.out.0", columns: 5, bits: 43, fracBits: 16 },
    { name: "logits", site: "head.out.1", columns: 3, bits: 30, fracBits: 10 },
  ],
  checks: [{ name: "check.a", site: "a", perRow: 2, bits: 12, fracBits: 7, expected: 1, tolerance: 0.1 }],
};

const anyRows = fc.record({
  rows: fc.array(fc.array(fc.double({ min: -(2 ** 25), max: 2 ** 25, noNaN: true }), { minLength: 5, maxLength: 5 }), {
    minLength: 1,
    maxLength: 9,
  }),
  parties: fc.integer({ min: 2, max: 5 }),
});

describe("rows through shares", () => {
  it("come back from what all parties got, to half a unit", () => {
    fc.assert(
      fc.property(anyRows, ({ rows, parties }) => {
        const values = rows.flat();
        const messages = shareRows(values, parties, FORMAT);
        const shares = messages.map((message, party) => {
          assert.equal(message.length, shareMessageBytes(party, parties, values.length, FORMAT));
          return shareFrom(message, party, parties, values.length, FORMAT);
        });
        const extra = shares.map((_, party) => other(party, rows.length));
        const all = rows.map((_, row) => row);
        const packed = shares.map((share, party) =>
          packRows({ rows: share, ...extra[party] }, all, rows.length, FORMAT),
        );
        for (const { length } of packed) assert.equal(length, handOverBytes(rows.length, FORMAT));
        const { outputs, failed } = joinRows(packed, all, FORMAT);
        for (const [at, value] of outputs.rows.entries()) assert.ok(Math.abs(value - values[at]) <= 2 ** -17);
        assert.deepEqual(failed, []);
      }),
      { numRuns: 100 },
    );
  });

  it("go to each receiver its own, whatever the rows in between are", () => {
    const values = Array.from({ length: 20 }, (_, i) => i - 7.25);
    const shares = shareRows(values, 3, FORMAT).map((message, party) => shareFrom(message, party, 3, 20, FORMAT));
    const mine = [0, 3];
    const messages = (changed: boolean): Uint8Array[] =>
      shares.map((share, party) => {
        const kept = share.slice();
        if (changed) kept.fill(99n, 5, 15); // rows 1 and 2, of another receiver
        return packRows({ rows: kept, ...other(party, 4) }, mine, 4, FORMAT);
      });
    assert.deepEqual(messages(true), messages(false));
    const { outputs } = joinRows(messages(false), [10, 13], FORMAT);
    assert.deepEqual([...outputs.rows], [...values.slice(0, 5), ...values.slice(15)]);
    assert.deepEqual([...outputs.logits], [0, 1, 2, 9, 10, 11], "row by row");
  });

  it("show a row whose check is off, by its position and site", () => {
    const values = new Float64Array(15);
    const shares = shareRows(values, 2, FORMAT).map((message, party) => shareFrom(message, party, 2, 15, FORMAT));
    // Head-major: head 1 of row 2 is 1.5, head 0 of row 0 is 1.09.
    const checks = [1.09, 1, 1, 1, 1, 1.5];
    const messages = shares.map((rows, party) =>
      packRows({ rows, ...other(party, 3), "check.a": encoded(checks, 7, party) }, [0, 1, 2], 3, FORMAT),
    );
    assert.deepEqual(joinRows(messages, [4, 8, 9], FORMAT).failed, [{ position: 9, site: "a" }]);
  });

  it("show a row whose value lies in the outer half of its ring, by its position and site", () => {
    const values = new Float64Array(15);
    values[7] = 2 ** 25 * 1.02; // row 1
    values[10] = 2 ** 25; // row 2: the end of its range
    const shares = shareRows(values, 2, FORMAT).map((message, party) => shareFrom(message, party, 2, 15, FORMAT));
    const messages = shares.map((rows, party) => packRows({ rows, ...other(party, 3) }, [0, 1, 2], 3, FORMAT));
    assert.deepEqual(joinRows(messages, [4, 8, 9], FORMAT).failed, [{ position: 8, site: "layers.0.out.0" }]);
  });

  it("look uniform to every party, whatever they are", () => {
    // 4 low bits of a share, 16 bins, rows of zeros: chi-square with 15 degrees of freedom is above 50 once in 1e5 runs.
    for (const party of [0, 1, 2]) {
      const messages = shareRows(new Float64Array(20_000), 3, FORMAT);
      const share = shareFrom(messages[party], party, 3, 20_000, FORMAT);
      for (const shift of [0n, 39n]) {
        const bins = new Float64Array(16);
        for (const word of share) bins[Number((word >> shift) & 15n)]++;
        const chiSquare = bins.reduce((sum, count) => sum + (count - 1250) ** 2 / 1250, 0);
        assert.ok(chiSquare < 50, `party ${party}: expected uniform words, got chi-square ${chiSquare}`);
      }
    }
  });

  it("are split afresh each time", () => {
    const [a, b] = [1, 2].map(() => shareRows([1, 2, 3], 2, FORMAT));
    assert.notDeepEqual(a[0], b[0]);
    assert.notDeepEqual(a[1], b[1]);
  });
});

/** Shares of logits 0, 1, 2, ... and of checks that hold; all words are party 0's. */
function other(party: number, rows: number): Record<string, Words> {
  return {
    logits: encoded(
      Array.from({ length: rows * 3 }, (_, i) => i),
      10,
      party,
    ),
    "check.a": encoded(
      Array.from({ length: rows * 2 }, () => 1),
      7,
      party,
    ),
  };
}

function encoded(values: readonly number[], fracBits: number, party: number): Words {
  const words: Words = new BigUint64Array(values.length);
  if (party === 0) ring.encode(words, values, fracBits);
  return words;
}
