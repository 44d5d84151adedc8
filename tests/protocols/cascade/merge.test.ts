import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Merge, packPartial } from "../../../protocols/cascade/merge.ts";

const HEAD_DIM = 2;

/** Logits and values of one row and head: extreme logits and hidden keys (-Infinity) included. */
const keys = fc.array(
  fc.record({
    a: fc.oneof(fc.double({ min: -30, max: 30, noNaN: true }), fc.constantFrom(-1e4, 1e4, -Infinity, 0)),
    v: fc.tuple(fc.double({ min: -5, max: 5, noNaN: true }), fc.double({ min: -5, max: 5, noNaN: true })),
  }),
  { maxLength: 12 },
);
type Keys = { a: number; v: [number, number] }[];

describe("merge of partial results", () => {
  it("equals the softmax over all keys, however they are grouped and ordered", () => {
    fc.assert(
      fc.property(
        keys,
        fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
        fc.boolean(),
        (all, groups, reversed) => {
          const parts = [0, 1, 2, 3].map((group) => partial(all.filter((_, at) => groups[at] === group)));
          close(merged(reversed ? parts.reverse() : parts), softmax(all));
        },
      ),
    );
  });

  it("is commutative and associative to rounding", () => {
    fc.assert(
      fc.property(keys, keys, keys, (x, y, z) => {
        const [p, q, r] = [partial(x), partial(y), partial(z)];
        close(merged([p, q, r]), merged([r, q, p]));
        close(merged([p, partial([...y, ...z])]), merged([partial([...x, ...y]), r]));
      }),
    );
  });

  it("has the row with nothing visible as its identity, exactly", () => {
    fc.assert(
      fc.property(keys, (all) => {
        const p = partial(all);
        assert.deepEqual(merged([partial([]), p, partial([])]), merged([p]));
      }),
    );
  });

  it("gives zero and never NaN where nothing is visible at all", () => {
    assert.deepEqual(merged([partial([]), partial([])]), [0, 0]);
    assert.deepEqual(merged([]), [0, 0]);
  });

  it("refuses a partial result of another size", () => {
    const merge = new Merge(1, 1, HEAD_DIM, "float64");
    assert.throws(() => merge.add(new Float64Array(3), [0]), /merge: expected 1 x 4 words, got 3/);
  });
});

// Helpers

/** u, m, e over some keys, packed, by the definition. */
function partial(all: Keys): Float64Array {
  const m = Math.max(-Infinity, ...all.map(({ a }) => a));
  const weights = all.map(({ a }) => (m === -Infinity ? 0 : Math.exp(a - m)));
  const e = weights.reduce((sum, weight) => sum + weight, 0);
  const u = [0, 1].map((i) => all.reduce((sum, { v }, at) => sum + weights[at] * v[i], 0));
  const tensor = (data: number[]): { data: Float64Array; shape: [number, number] } => ({
    data: Float64Array.from(data),
    shape: [1, data.length],
  });
  return packPartial(tensor(u), tensor([m]), tensor([e])) as Float64Array;
}

function merged(parts: Float64Array[]): number[] {
  const merge = new Merge(1, 1, HEAD_DIM, "float64");
  for (const part of parts) merge.add(part, [0]);
  return [...merge.finish().data];
}

function softmax(all: Keys): number[] {
  const m = Math.max(-Infinity, ...all.map(({ a }) => a));
  if (m === -Infinity) return [0, 0];
  const weights = all.map(({ a }) => Math.exp(a - m));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return [0, 1].map((i) => all.reduce((sum, { v }, at) => sum + weights[at] * v[i], 0) / total);
}

/** Values are at most 5 and weights sum to 1: 1e-13 is some hundred units of rounding over a dozen keys. */
function close(actual: number[], expected: number[]): void {
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) <= 1e-13, `expected ${expected[i]}, got ${value}`),
  );
}
