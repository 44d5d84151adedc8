import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { erf as mathjsErf } from "mathjs";
import { attentionOutput } from "../../layers/forward-pass.ts";
import { isVisible, partialAttention, plainAttention, type Placed } from "../../layers/reference/attention.ts";
import { referenceEngine } from "../../layers/reference/engine.ts";
import { erf } from "../../layers/reference/erf.ts";
import { matrixOf, product, tensorOf } from "../../layers/reference/matrix.ts";
import { plainForward } from "../../layers/reference/plain-forward.ts";
import type { PartialAttention } from "../../layers/stage-engine.ts";
import { takeRows, type Tensor } from "../../layers/tensor.ts";
import { attentionCase, propertyRuns, SHARDS, type AttentionCase } from "./attention-cases.ts";
import { argmax, assertGolden, maxError, MODEL_NAMES, openGolden } from "./golden-models.ts";
import { stagedPass } from "./staged-pass.ts";

for (const name of MODEL_NAMES) {
  test(`${name}: hidden states, logits and greedy tokens are transformers'`, async () => {
    const { model, golden } = await openGolden(name);
    const plain = await plainForward(model, golden.ids);
    assertGolden(plain, golden);
    const staged = await stagedPass(await referenceEngine(model), golden.ids);
    plain.hidden.forEach((rows, i) => assert.ok(maxError(staged.hidden[i].data, rows.data) < 1e-11, `hidden.${i}`));
    // All the greedy tokens are right where each follows from those before it.
    const whole = await plainForward(model, [...golden.ids, ...golden.greedy]);
    golden.greedy.forEach((token, i) => {
      const row = golden.ids.length - 1 + i;
      const { data, shape } = whole.logits!;
      assert.equal(argmax(data.subarray(row * shape[1], (row + 1) * shape[1])), token, `token ${i}`);
    });
    await model.close();
  });
}

/** The float64 nearest to erf: mpmath 1.3 with 40 digits, float(mp.erf(x)). */
const ERF: readonly [number, number][] = [
  [0, 0.0],
  [1e-10, 1.1283791670955126e-10],
  [0.1, 0.1124629160182849],
  [0.5, 0.5204998778130465],
  [0.84375, 0.7672256612323416],
  [1, 0.8427007929497149],
  [1.25, 0.9229001282564583],
  [2, 0.9953222650189527],
  [2.875, 0.9999521451602562],
  [3.5, 0.9999992569016276],
  [5, 0.9999999999984626],
];

test("erf is right to float64 rounding, odd, and 1 at infinity", () => {
  for (const [x, expected] of ERF) {
    assert.ok(Math.abs(erf(x) - expected) <= 2 * Number.EPSILON * Math.abs(expected) + 1e-300, `erf(${x}) = ${erf(x)}`);
    assert.equal(erf(-x) + 0, -erf(x) + 0);
  }
  assert.equal(erf(Infinity), 1);
  assert.equal(erf(-Infinity), -1);
  assert.ok(Number.isNaN(erf(NaN)));
});

test("erf agrees with mathjs everywhere", () => {
  for (let x = -7; x <= 7; x += 0.0137) assert.ok(Math.abs(erf(x) - mathjsErf(x)) <= 4.5e-16, `erf(${x})`);
});

test("a product of views is the product of what they show", () => {
  const x = matrixOf({ data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
  const y = matrixOf({ data: Float64Array.of(1, 0, 2, 1, 1, 1), shape: [2, 3] });
  assert.deepEqual([...tensorOf(product(x, y.transpose(1, 0))).data], [7, 6, 16, 15]);
  assert.deepEqual([...tensorOf(x.transpose(1, 0)).data], [1, 4, 2, 5, 3, 6]);
  assert.throws(() => product(x, y), /expected \[3, n\] on the right, got \[2, 3\]/);
});

const placed = (tensor: Tensor, positions: readonly number[]): Placed => ({ rows: matrixOf(tensor), positions });

const wholePartial = ({ spec, queries, keys, q, k, v }: AttentionCase): PartialAttention =>
  partialAttention(spec, placed(q, queries), placed(k, keys), matrixOf(v));

/** The queries of a case that see a key at all, which ordinary attention needs. */
function seeing(given: AttentionCase): AttentionCase {
  const rows = given.queries.flatMap((t, row) => (given.keys.some((s) => isVisible(given.spec, t, s)) ? [row] : []));
  return {
    ...given,
    queries: rows.map((row) => given.queries[row]),
    q: takeRows(given.q, rows) as Tensor<Float32Array>,
  };
}

test("partial attention over all keys, divided, is ordinary softmax attention", () => {
  fc.assert(
    fc.property(attentionCase(1e4), (any) => {
      const given = seeing(any);
      if (given.queries.length === 0) return;
      const plain = tensorOf(
        plainAttention(given.spec, placed(given.q, given.queries), placed(given.k, given.keys), matrixOf(given.v)),
      );
      assert.ok(maxError(attentionOutput(wholePartial(given)).data, plain.data) <= 1e-13);
    }),
    propertyRuns(300),
  );
});

test("partial results over any shards of the keys merge to the whole", () => {
  fc.assert(
    fc.property(attentionCase(1e4), (given) => {
      const { spec, queries, keys, owners, q, k, v } = given;
      const parts = Array.from({ length: SHARDS }, (_, shard) => {
        const rows = keys.flatMap((_t, row) => (owners[row] === shard ? [row] : []));
        const of = (tensor: Tensor): Tensor => takeRows(tensor, rows);
        return partialAttention(
          spec,
          placed(q, queries),
          placed(
            of(k),
            rows.map((row) => keys[row]),
          ),
          matrixOf(of(v)),
        );
      });
      const whole = wholePartial(given);
      for (let cell = 0; cell < whole.m.data.length; cell++) {
        // By the definitions, not by the protocol's merge: the maximum is the largest, sums are rescaled to it.
        const max = Math.max(...parts.map(({ m }) => m.data[cell]));
        assert.equal(max, whole.m.data[cell]);
        const factor = (part: PartialAttention): number =>
          part.m.data[cell] === -Infinity ? 0 : Math.exp(part.m.data[cell] - max);
        const e = parts.reduce((sum, part) => sum + factor(part) * part.e.data[cell], 0);
        assert.ok(Math.abs(e - whole.e.data[cell]) <= 1e-13 * Math.max(1, e));
        for (let at = cell * spec.headDim; at < (cell + 1) * spec.headDim; at++) {
          const u = parts.reduce((sum, part) => sum + factor(part) * part.u.data[at], 0);
          assert.ok(Math.abs(u - whole.u.data[at]) <= 1e-12 * Math.max(1, e));
        }
      }
    }),
    propertyRuns(300),
  );
});

test("no partial result is NaN; where nothing is visible m = -Infinity, e = 0, u = 0, and elsewhere 1 <= e <= keys", () => {
  fc.assert(
    fc.property(attentionCase(1e4), (given) => {
      const { u, m, e } = wholePartial(given);
      const { spec, queries, keys } = given;
      assert.deepEqual(
        [u.shape, m.shape, e.shape],
        [
          [queries.length, spec.heads * spec.headDim],
          [queries.length, spec.heads],
          [queries.length, spec.heads],
        ],
      );
      for (let cell = 0; cell < m.data.length; cell++) {
        const query = queries[Math.floor(cell / spec.heads)];
        const mixed = u.data.subarray(cell * spec.headDim, (cell + 1) * spec.headDim);
        if (keys.some((key) => isVisible(spec, query, key))) {
          assert.ok(Number.isFinite(m.data[cell]) && e.data[cell] >= 1 && e.data[cell] <= keys.length);
          assert.ok(mixed.every(Number.isFinite));
        } else {
          assert.deepEqual([m.data[cell], e.data[cell], ...mixed], [-Infinity, 0, ...mixed.map(() => 0)]);
        }
      }
    }),
    propertyRuns(300),
  );
});

test("ordinary attention refuses a query that sees nothing", () => {
  const spec = { heads: 1, kvHeads: 1, headDim: 2, scale: 1, softCap: null, causal: true, window: null };
  const one = matrixOf({ data: Float64Array.of(1, 2), shape: [1, 2] });
  assert.throws(
    () => plainAttention(spec, { rows: one, positions: [0] }, { rows: one, positions: [1] }, one),
    /expected a visible key.*row 0/,
  );
});

test("a token id or a position that a table doesn't have is refused", async () => {
  const { model } = await openGolden("gpt2");
  const engine = await referenceEngine(model);
  await assert.rejects(engine.embed([256], [0]), /token id: expected an integer from 0 to 255, got 256/);
  await assert.rejects(engine.embed([0], [128]), /position: expected an integer from 0 to 127, got 128/);
  await assert.rejects(engine.embed([0, 1], [0]), /embed: expected a position for each of 2 rows, got 1/);
  await model.close();
});
