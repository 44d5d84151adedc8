/** What gate tests draw their inputs from: values of a range with its edges, attention layouts of all kinds. */
import fc from "fast-check";
import type { AttentionLayout, PublicRows } from "../../../protocols/smpc/plan/attention-layout.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import type { ShareInfo, WireInfo } from "../../../protocols/smpc/plan/value.ts";

/** Signed integers of [-2^(bits - 1), 2^(bits - 1)), edges and zero often. */
export function signedOf(bits: number): fc.Arbitrary<bigint> {
  const half = bits === 0 ? 0n : 1n << BigInt(bits - 1);
  if (half === 0n) return fc.constant(0n);
  return fc.oneof(fc.constantFrom(-half, half - 1n, 0n, -1n), fc.bigInt({ min: -half, max: half - 1n }));
}

/** `length` values of the domain of a narrow wire of `bits` bits: a quarter of its ring to both sides. */
export const narrowValues = (length: number, bits: number): fc.Arbitrary<bigint[]> =>
  fc.array(signedOf(bits - 1), { minLength: length, maxLength: length });

/** `length` values of the domain of a non-negative wire of `bits` >= 5 bits: a thirty-second of its ring below 0, fifteen above. */
export function nonNegativeValues(length: number, bits: number): fc.Arbitrary<bigint[]> {
  const unit = 1n << BigInt(bits - 5);
  const value = fc.oneof(
    fc.constantFrom(-unit, 15n * unit, 15n * unit - 1n, 0n, -1n),
    fc.bigInt({ min: -unit, max: 15n * unit }),
  );
  return fc.array(value, { minLength: length, maxLength: length });
}

/** `length` values of the whole ring. */
export const ringValues = (length: number, bits: number): fc.Arbitrary<bigint[]> =>
  fc.array(signedOf(bits), { minLength: length, maxLength: length });

export const wireInfo = (rows: number, columns: number, bits: number): WireInfo => ({
  kind: "wire",
  rows,
  columns,
  fracBits: 0,
  bits,
});

export const shareInfo = (rows: number, columns: number, ringBits: number): ShareInfo => ({
  kind: "share",
  rows,
  columns,
  fracBits: 0,
  ringBits,
});

/** Number of parties, and a seed for the bench. */
export const anySetting = fc.record({ parties: fc.constantFrom(2, 3, 4), seed: fc.string({ maxLength: 8 }) });

/** Causal or not, windows, public keys, rows before, grouped queries. */
export const anyLayout: fc.Arbitrary<AttentionLayout> = fc
  .record({
    kvHeads: fc.integer({ min: 1, max: 3 }),
    group: fc.integer({ min: 1, max: 3 }),
    headDim: fc.constantFrom(1, 2, 5),
    queries: fc.integer({ min: 1, max: 6 }),
    prefix: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
    past: fc.integer({ min: 0, max: 5 }),
    causal: fc.boolean(),
    window: fc.option(fc.integer({ min: 1, max: 7 })),
  })
  .map(({ group, ...layout }) => ({ ...layout, heads: layout.kvHeads * group }));

/** Public rows [rows, columns] that gates look up as `PUBLIC`: small integers, which float32 has exactly. */
export const publicRowsOf = (rows: number, columns: number): fc.Arbitrary<bigint[]> =>
  fc.array(fc.bigInt({ min: -(2n ** 20n), max: 2n ** 20n }), { minLength: rows * columns, maxLength: rows * columns });

/** The vector that they are, with a factor. */
export const PUBLIC: PublicRows = { vector: "public", factor: -2 };

export const publicFactors = (rows: readonly bigint[]): ModelFactors =>
  new ModelFactors(() => ({ data: Float32Array.from(rows, (value) => Number(value) / -2), shape: [rows.length] }));

/**
 * Every visible entry in its order, from the definition: position prefix + past + i sees j <= position where causal, j > position - window.
 * Keys below `prefix` are public.
 */
export function visibleEntries(layout: AttentionLayout): { head: number; query: number; key: number }[] {
  const { heads, queries, prefix = 0, past, causal, window } = layout;
  const entries = [];
  for (let head = 0; head < heads; head++)
    for (let query = 0; query < queries; query++)
      for (let key = 0; key < prefix + past + queries; key++) {
        const distance = prefix + past + query - key;
        if ((!causal || distance >= 0) && (window === null || distance < window)) entries.push({ head, query, key });
      }
  return entries;
}
