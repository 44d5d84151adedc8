import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { entryCount, type AttentionLayout } from "../../../protocols/smpc/plan/attention-layout.ts";
import { mix } from "../../../protocols/smpc/gates/mix.ts";
import { runGate, signedMod } from "./gate-bench.ts";
import {
  anyLayout,
  anySetting,
  PUBLIC,
  publicFactors,
  publicRowsOf,
  ringValues,
  shareInfo,
  visibleEntries,
  wireInfo,
} from "./gate-values.ts";

function mixed(layout: AttentionLayout, p: readonly bigint[], v: readonly bigint[]): bigint[] {
  const { heads, kvHeads, headDim, queries } = layout;
  const out = Array.from({ length: queries * heads * headDim }, () => 0n);
  visibleEntries(layout).forEach(({ head, query, key }, entry) => {
    const kvHead = Math.floor((head * kvHeads) / heads);
    for (let d = 0; d < headDim; d++)
      out[(query * heads + head) * headDim + d] += p[entry] * v[(key * kvHeads + kvHead) * headDim + d];
  });
  return out;
}

describe("mix", () => {
  it("gives the visible entries times their values mod 2^K, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({
        layout: anyLayout,
        bits: fc.oneof(fc.integer({ min: 2, max: 32 }), fc.integer({ min: 33, max: 64 })),
        spared: fc.constantFrom(0, 0, 1, 7),
      })
      .chain(({ layout, bits, spared }) => {
        const { kvHeads, headDim, queries, prefix = 0, past } = layout;
        return fc.record({
          known: publicRowsOf(prefix, kvHeads * headDim),
          p: ringValues(visibleEntries(layout).length, bits),
          v: ringValues((past + queries) * kvHeads * headDim, bits),
          sizes: fc.constant({ layout, bits, ringBits: Math.max(1, bits - spared) }),
        });
      });
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ known, p, v, sizes: { layout, bits, ringBits } }, setting) => {
        const { heads, kvHeads, headDim, queries, past } = layout;
        const values = [
          wireInfo(entryCount(layout), 1, bits),
          wireInfo(past + queries, kvHeads * headDim, bits),
          shareInfo(queries, heads * headDim, ringBits),
        ];
        const prefix = known.length === 0 ? {} : { prefix: PUBLIC };
        const instruction = { gate: "mix", p: 0, v: 1, out: 2, layout, ...prefix } as const;
        // v is a wire that append made.
        const { out, dealtBits } = await runGate(
          mix,
          instruction,
          values,
          { 0: p, 1: v },
          { ...setting, derived: [1], factors: publicFactors(known) },
        );
        assert.deepEqual(
          out,
          mixed(layout, p, [...known, ...v]).map((value) => signedMod(value, ringBits)),
        );
        assert.equal(dealtBits, queries * heads * headDim * ringBits);
      }),
      { numRuns: 80 },
    );
  });

  it("refuses wires narrower than the product", async () => {
    const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: 1, past: 0, causal: true, window: null };
    const values = [wireInfo(1, 1, 20), wireInfo(1, 1, 19), shareInfo(1, 1, 20)];
    const instruction = { gate: "mix", p: 0, v: 1, out: 2, layout } as const;
    await assert.rejects(
      runGate(mix, instruction, values, { 0: [1n], 1: [1n] }, { parties: 2, seed: "narrow" }),
      /mix: expected wires of at least 20 bits, got 19/,
    );
  });
});
