import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { entryCount, kvHeadOf, rowOffsets } from "../../../protocols/smpc/plan/attention-layout.ts";
import { append } from "../../../protocols/smpc/gates/append.ts";
import { diagonal } from "../../../protocols/smpc/gates/diagonal.ts";
import { rowDifference } from "../../../protocols/smpc/gates/row-difference.ts";
import { rowSum } from "../../../protocols/smpc/gates/row-sum.ts";
import { keptNothing, runGate, signedMod } from "./gate-bench.ts";
import { anyLayout, anySetting, ringValues, shareInfo, visibleEntries, wireInfo } from "./gate-values.ts";

const withLayout = (makes: (entries: number, rows: number) => fc.Arbitrary<bigint[]>[]) =>
  anyLayout.chain((layout) =>
    fc
      .tuple(...makes(visibleEntries(layout).length, layout.heads * layout.queries))
      .map((words) => ({ layout, words })),
  );

describe("attention layout", () => {
  it("counts and places entries as the definition of visible keys does", () => {
    fc.assert(
      fc.property(anyLayout, (layout) => {
        const entries = visibleEntries(layout);
        assert.equal(entryCount(layout), entries.length);
        const offsets = rowOffsets(layout);
        assert.equal(offsets.length, layout.heads * layout.queries + 1);
        for (let row = 0; row + 1 < offsets.length; row++) {
          const inRow = entries.filter(({ head, query }) => head * layout.queries + query === row);
          assert.equal(offsets[row], entries.indexOf(inRow[0]));
          assert.equal(offsets[row + 1] - offsets[row], inRow.length);
        }
      }),
    );
  });

  it("gives consecutive query heads one head of K and V", () => {
    const layout = { heads: 9, kvHeads: 3, headDim: 1, queries: 1, past: 0, causal: true, window: null };
    const heads = Array.from({ length: 9 }, (_, head) => kvHeadOf(layout, head));
    assert.deepEqual(heads, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });
});

describe("row-sum", () => {
  it("sums ragged rows mod 2^K", async () => {
    await fc.assert(
      fc.asyncProperty(
        withLayout((entries) => [ringValues(entries, 40)]),
        anySetting,
        async ({ layout, words: [x] }, setting) => {
          const values = [shareInfo(x.length, 1, 40), shareInfo(layout.heads * layout.queries, 1, 40)];
          const instruction = { gate: "row-sum", x: 0, out: 1, layout } as const;
          const { out, dealtBits } = await runGate(rowSum, instruction, values, { 0: x }, setting);
          const expected = out.map(() => 0n);
          visibleEntries(layout).forEach(({ head, query }, i) => (expected[head * layout.queries + query] += x[i]));
          assert.deepEqual(
            out,
            expected.map((sum) => signedMod(sum, 40)),
          );
          assert.equal(dealtBits, 0);
          // By query: the same numbers, those of a query's heads beside one another.
          const byQuery = await runGate(rowSum, { ...instruction, byQuery: true }, values, { 0: x }, setting);
          const { heads, queries } = layout;
          out.forEach((sum, row) =>
            assert.equal(byQuery.out[(row % queries) * heads + Math.floor(row / queries)], sum),
          );
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("row-difference", () => {
  it("takes a row's number off its entries mod the bits of out, though either wraps", async () => {
    await fc.assert(
      fc.asyncProperty(
        withLayout((entries, rows) => [ringValues(entries, 20), ringValues(rows, 23)]),
        fc.constantFrom(20, 17),
        anySetting,
        async ({ layout, words: [x, row] }, bits, setting) => {
          const values = [wireInfo(x.length, 1, 20), wireInfo(row.length, 1, 23), wireInfo(x.length, 1, bits)];
          const instruction = { gate: "row-difference", x: 0, row: 1, out: 2, layout } as const;
          const { out, clear, dealtBits } = await runGate(
            rowDifference,
            instruction,
            values,
            { 0: x, 1: row },
            setting,
          );
          const expected = visibleEntries(layout).map(({ head, query }, i) =>
            signedMod(x[i] - row[head * layout.queries + query], bits),
          );
          assert.deepEqual(out, expected);
          assert.deepEqual(clear, expected);
          assert.equal(dealtBits, 0);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("diagonal", () => {
  it("gives every row the entry of its query's own position", async () => {
    await fc.assert(
      fc.asyncProperty(
        withLayout((entries) => [ringValues(entries, 20)]),
        fc.constantFrom(20, 17),
        anySetting,
        async ({ layout, words: [x] }, bits, setting) => {
          const values = [wireInfo(x.length, 1, 20), wireInfo(layout.heads * layout.queries, 1, bits)];
          const instruction = { gate: "diagonal", x: 0, out: 1, layout } as const;
          const { out, clear } = await runGate(diagonal, instruction, values, { 0: x }, setting);
          const expected = visibleEntries(layout).flatMap(({ query, key }, i) =>
            key === layout.past + query ? [signedMod(x[i], bits)] : [],
          );
          assert.deepEqual(out, expected);
          assert.deepEqual(clear, expected);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("append", () => {
  const step = (rows: number, past: number) => [wireInfo(rows, 3, 15), wireInfo(past + rows, 3, 15)];
  const instruction = { gate: "append", x: 0, out: 1, key: "layers.0.k" } as const;
  const words = (rows: number, from: number) => Array.from({ length: rows * 3 }, (_, i) => BigInt(from + i));

  it("puts the rows of the steps before in front, for n = 2, 3, 4", async () => {
    for (const parties of [2, 3, 4]) {
      const kept = keptNothing(parties);
      const all: bigint[] = [];
      for (const [past, rows] of [
        [0, 4],
        [4, 1],
        [5, 2],
      ]) {
        const x = words(rows, -8 + past * 3);
        all.push(...x);
        const { out } = await runGate(
          append,
          instruction,
          step(rows, past),
          { 0: x },
          { parties, kept, seed: `${past}` },
        );
        assert.deepEqual(out, all);
      }
    }
  });

  it("starts anew with no rows before, and refuses rows that are missing", async () => {
    const kept = keptNothing(2);
    const setting = { parties: 2, kept, seed: "again" };
    await runGate(append, instruction, step(2, 0), { 0: words(2, 0) }, setting);
    const { out } = await runGate(append, instruction, step(1, 0), { 0: words(1, 50) }, setting);
    assert.deepEqual(out, words(1, 50));
    await assert.rejects(
      runGate(append, instruction, step(1, 2), { 0: words(1, 0) }, setting),
      /append layers\.0\.k: expected 6 words that the steps before kept, got 3/,
    );
  });
});
