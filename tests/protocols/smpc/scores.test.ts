import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { entryCount, type AttentionLayout } from "../../../protocols/smpc/plan/attention-layout.ts";
import { scores } from "../../../protocols/smpc/gates/scores.ts";
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

function products(layout: AttentionLayout, q: readonly bigint[], k: readonly bigint[]): bigint[] {
  const { heads, kvHeads, headDim } = layout;
  return visibleEntries(layout).map(({ head, query, key }) => {
    const kvHead = Math.floor((head * kvHeads) / heads);
    let sum = 0n;
    for (let d = 0; d < headDim; d++)
      sum += q[(query * heads + head) * headDim + d] * k[(key * kvHeads + kvHead) * headDim + d];
    return sum;
  });
}

describe("scores", () => {
  it("gives q . k of every visible entry mod 2^K, for n = 2, 3, 4", async () => {
    const cases = fc
      .record({
        layout: anyLayout,
        bits: fc.oneof(fc.integer({ min: 2, max: 32 }), fc.integer({ min: 33, max: 64 })),
        spared: fc.constantFrom(0, 0, 1, 7),
      })
      .chain(({ layout, bits, spared }) => {
        const { heads, kvHeads, headDim, queries, prefix = 0, past } = layout;
        return fc.record({
          known: publicRowsOf(prefix, kvHeads * headDim),
          q: ringValues(queries * heads * headDim, bits),
          k: ringValues((past + queries) * kvHeads * headDim, bits),
          sizes: fc.constant({ layout, bits, ringBits: Math.max(1, bits - spared) }),
        });
      });
    await fc.assert(
      fc.asyncProperty(cases, anySetting, async ({ known, q, k, sizes: { layout, bits, ringBits } }, setting) => {
        const { heads, kvHeads, headDim, queries, past } = layout;
        const values = [
          wireInfo(queries, heads * headDim, bits),
          wireInfo(past + queries, kvHeads * headDim, bits),
          shareInfo(entryCount(layout), 1, ringBits),
        ];
        const prefix = known.length === 0 ? {} : { prefix: PUBLIC };
        const instruction = { gate: "scores", q: 0, k: 1, out: 2, layout, ...prefix } as const;
        // k is a wire that append made.
        const { out, dealtBits } = await runGate(
          scores,
          instruction,
          values,
          { 0: q, 1: k },
          { ...setting, derived: [1], factors: publicFactors(known) },
        );
        assert.deepEqual(
          out,
          products(layout, q, [...known, ...k]).map((value) => signedMod(value, ringBits)),
        );
        const secret = visibleEntries(layout).filter(({ key }) => key >= (layout.prefix ?? 0));
        assert.equal(dealtBits, secret.length * ringBits);
      }),
      { numRuns: 80 },
    );
  });

  it("refuses wires narrower than the product", async () => {
    const layout = { heads: 1, kvHeads: 1, headDim: 1, queries: 1, past: 0, causal: true, window: null };
    const values = [wireInfo(1, 1, 20), wireInfo(1, 1, 19), shareInfo(1, 1, 20)];
    const instruction = { gate: "scores", q: 0, k: 1, out: 2, layout } as const;
    await assert.rejects(
      runGate(scores, instruction, values, { 0: [1n], 1: [1n] }, { parties: 2, seed: "narrow" }),
      /scores: expected wires of at least 20 bits, got 19/,
    );
  });
});
