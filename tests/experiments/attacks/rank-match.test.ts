import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import type { Recovery } from "../../../experiments/lab/attack.ts";
import { rankMatch } from "../../../experiments/attacks/rank-match/attack.ts";
import type { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";
import { tailEnergy } from "../../../experiments/attacks/rank-match/tail-energy.ts";
import { openMatchingModel, type MatchingModel } from "./matching-model.ts";

const BUDGET = { forwardPasses: 5000, seed: 1 };

/** What is recovered of the attacked prompt from each view; the parties are closed. */
async function recovered(matching: MatchingModel, views: readonly RecordedView[]): Promise<Recovery[]> {
  try {
    const options = rankMatch.parseOptions({ trainingTokens: 2048 });
    const prepared = await rankMatch.prepare(matching.preparation, options);
    const recoveries: Recovery[] = [];
    for (const view of views) recoveries.push(await prepared.recover(view, matching.known(), BUDGET));
    await prepared.close();
    return recoveries;
  } finally {
    await matching.close();
  }
}

/** Positions of other nodes before the first CompNode's last row. */
function reachable({ attacked: { ids, session } }: MatchingModel): number[] {
  const { r } = session.schedule;
  const own = [...ids.keys()].filter((t) => r.owner(t) === 0);
  return [...ids.keys()].filter((t) => r.owner(t) !== 0 && t < Math.max(...own));
}

for (const [name, setting] of [
  ["partial results", { alpha: 3, c: 2, smpcLayers: "first:1" }],
  ["partial results in float16", { alpha: 3, c: 2, smpcLayers: "none", wire: "float16" }],
  [
    "rows under the masked merge, as many shards as heads read a value",
    { alpha: 3, c: 2, smpcLayers: "first:1", merge: "masked" },
  ],
] as const)
  test(`reads every token of others that an own row sees: ${name}`, async () => {
    const matching = await openMatchingModel(setting, 1, 14);
    const { ids, session } = matching.attacked;
    const view = session.view(["comp.0"]);
    const [real, noise] = await recovered(matching, [view, noiseView(view, 3)]);
    const positions = reachable(matching);
    assert.deepEqual(
      positions.map((t) => real.guesses.get(t)?.[0]),
      positions.map((t) => ids[t]),
    );
    assert.ok(positions.every((t) => real.certified.has(t)));
    assert.ok(
      real.forwardPasses < 14 * 512,
      `expected far fewer passes than the vocabulary, got ${real.forwardPasses}`,
    );
    assert.equal(positions.filter((t) => noise.certified.has(t)).length, 0);
  });

test("a CompNode with an AttnNode reads the keys that the one saw, and the others from sums", async () => {
  const matching = await openMatchingModel({ alpha: 4, c: 1, smpcLayers: "first:1" }, 1, 14);
  const { ids, session } = matching.attacked;
  const [real] = await recovered(matching, [session.view(["comp.0", "attn.1.2"])]);
  const positions = reachable(matching);
  assert.deepEqual(
    positions.map((t) => real.guesses.get(t)?.[0]),
    positions.map((t) => ids[t]),
  );
});

test("says nothing of merged rows over more shards than heads read a value", async () => {
  const matching = await openMatchingModel({ alpha: 8, c: 1, smpcLayers: "none", merge: "masked" }, 1, 14);
  const [real] = await recovered(matching, [matching.attacked.session.view(["comp.0"])]);
  // The first window's seven unknown tokens stand against three rows a value head.
  const first = reachable(matching).filter((t) => t < 5);
  assert.ok(first.length > 0 && first.every((t) => !real.certified.has(t)));
});

test("a matrix less one of its parts has a rank less by one", () => {
  const entry = fc.double({ min: -2, max: 2, noNaN: true, noDefaultInfinity: true });
  const vectors = (length: number, count: number): fc.Arbitrary<Float64Array[]> =>
    fc.array(
      fc.array(entry, { minLength: length, maxLength: length }).map((values) => Float64Array.from(values)),
      { minLength: count, maxLength: count },
    );
  const sizes = fc.record({
    rows: fc.integer({ min: 2, max: 9 }),
    columns: fc.integer({ min: 2, max: 9 }),
    rank: fc.integer({ min: 1, max: 9 }),
  });
  const parts = sizes.chain(({ rows, columns, rank }) =>
    fc.record({ weights: vectors(rows, rank), values: vectors(columns, rank) }),
  );
  fc.assert(
    fc.property(parts, ({ weights, values }) => {
      const sumFrom = (first: number): Float64Array[] =>
        Array.from(weights[0], (_, row) =>
          Float64Array.from(values[0], (__, column) =>
            values.slice(first).reduce((sum, value, at) => sum + value[column] * weights[first + at][row], 0),
          ),
        );
      const whole = tailEnergy(sumFrom(0), 0);
      const left = sumFrom(1);
      assert.ok(tailEnergy(left, weights.length - 1) <= 1e-12 * tailEnergy(left, 0));
      assert.ok(tailEnergy(sumFrom(0), weights.length) <= 1e-12 * whole);
    }),
  );
  const identity = [0, 1, 2].map((row) => Float64Array.from([0, 1, 2], (column) => (row === column ? 1 : 0)));
  assert.ok(Math.abs(tailEnergy(identity, 1) - 2) < 1e-12);
});
