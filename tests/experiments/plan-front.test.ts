/** The front is the best of all candidates, and an infeasible request says why. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { constraintsOf, feasible, whyInfeasible } from "../../experiments/plan/constraints.ts";
import { candidatesOf, cascadeShapes, placementsOf } from "../../experiments/plan/enumerate.ts";
import type { Evaluated } from "../../experiments/plan/evaluate.ts";
import { ladder, paretoFront } from "../../experiments/plan/front.ts";
import { COSTS, dominates, EXPOSURES } from "../../experiments/plan/objectives.ts";
import { sumOfParts } from "../../experiments/plan/time-model.ts";

const ALL = [...COSTS, ...EXPOSURES];
const few = fc.integer({ min: 0, max: 3 });
const nodes = fc.record({ minGap: fc.option(fc.integer({ min: 1, max: 4 })), maxCluster: few });

/** Any candidate of few values, so that many are equal or dominate one another. */
const anyEvaluated: fc.Arbitrary<Evaluated> = fc
  .record({
    onlineBytes: few,
    dealtBytes: few,
    rounds: few,
    idsSeen: fc.boolean(),
    first: few,
    compNodes: nodes,
    attnNodes: nodes,
  })
  .map(({ onlineBytes, dealtBytes, rounds, idsSeen, first, compNodes, attnNodes }) => {
    const cost = {
      payloadBytes: onlineBytes + dealtBytes,
      onlineBytes,
      dealtBytes,
      messages: 1,
      rounds,
      multiplyAdds: 0,
      smpcMultiplyAdds: 0,
    };
    return {
      candidate: { cascade: { alpha: 1, c: 1, m: 1, merge: "plain" }, smpc: null },
      machines: 2,
      cost,
      seconds: sumOfParts({ rttMs: 1, mbit: 1, multiplyAddsPerSecond: 1, wordMultiplyAddsPerSecond: 1 }).seconds(cost),
      exposure: { idsSeen, rowsSeen: { first, last: 4 }, compNodes, attnNodes, colluders: null },
    };
  });

const vector = (one: Evaluated): string => ALL.map(({ value }) => value(one)).join();

describe("the front", () => {
  it("holds nothing that is dominated, and something as good as every candidate", () => {
    fc.assert(
      fc.property(fc.array(anyEvaluated, { maxLength: 40 }), (candidates) => {
        const front = paretoFront(candidates, ALL, ({ seconds }) => seconds);
        for (const one of front) assert.ok(!candidates.some((other) => dominates(other, one, ALL)));
        for (const one of candidates)
          assert.ok(front.some((other) => vector(other) === vector(one) || dominates(other, one, ALL)));
        assert.equal(new Set(front.map(vector)).size, front.length);
        for (let at = 1; at < front.length; at++) assert.ok(front[at - 1].seconds <= front[at].seconds);
        const rungs = ladder(front, EXPOSURES);
        for (let at = 1; at < rungs.length; at++)
          assert.ok(dominates(front[rungs[at]], front[rungs[at - 1]], EXPOSURES));
      }),
    );
  });

  it("orders exposures by inclusion of what is seen", () => {
    const [one] = fc.sample(anyEvaluated, 1);
    const showing = (exposure: Partial<Evaluated["exposure"]>): Evaluated => ({
      ...one,
      exposure: { ...one.exposure, idsSeen: true, rowsSeen: { first: 0, last: 4 }, ...exposure },
    });
    const base = showing({});
    for (const less of [
      { idsSeen: false },
      { rowsSeen: { first: 1, last: 4 } },
      { rowsSeen: { first: 0, last: 3 } },
      { rowsSeen: null },
    ])
      assert.ok(dominates(showing(less), base, EXPOSURES), JSON.stringify(less));
    assert.ok(
      !dominates(showing({ rowsSeen: { first: 1, last: 4 } }), showing({ rowsSeen: { first: 0, last: 3 } }), EXPOSURES),
    );
  });
});

describe("limits", () => {
  it("that bind are named, with the nearest value that leaves something", () => {
    fc.assert(
      fc.property(
        fc.array(anyEvaluated, { minLength: 1, maxLength: 12 }),
        fc.record(
          {
            maxMb: fc.constantFrom(1e-6, 2e-6, 5e-6),
            minGap: fc.integer({ min: 2, max: 6 }),
            hideIds: fc.boolean(),
            maxSeconds: fc.constantFrom(0.001, 0.002),
          },
          { requiredKeys: [] },
        ),
        (candidates, limits) => {
          const constraints = constraintsOf(limits);
          if (feasible(candidates, constraints).length > 0) return;
          const why = whyInfeasible(candidates, constraints);
          const [, flag, nearest] = /: (--[a-z-]+).*? binds, ([\d.]+)(?: s| MB)? is the nearest/.exec(why) ?? [];
          if (flag !== "--min-gap" || why.includes("whichever")) return;
          assert.equal(
            feasible(candidates, constraintsOf({ ...limits, minGap: Number(nearest) })).length > 0,
            true,
            why,
          );
          assert.equal(feasible(candidates, constraintsOf({ ...limits, minGap: Number(nearest) + 1 })).length, 0, why);
        },
      ),
    );
  });

  it("say which one stands in the way", () => {
    const of = (onlineBytes: number, minGap: number): Evaluated => {
      const [one] = fc.sample(anyEvaluated, 1);
      const shown = { minGap, maxCluster: 1 };
      return {
        ...one,
        cost: { ...one.cost, payloadBytes: onlineBytes },
        exposure: { ...one.exposure, compNodes: shown, attnNodes: shown },
      };
    };
    const candidates = [of(1_500_000, 3), of(4_000_000, 9)];
    assert.equal(
      whyInfeasible(candidates, constraintsOf({ maxMb: 2, minGap: 8 })),
      "plan: expected something feasible, got nothing: --max-mb 2 binds, 4 MB is the nearest feasible; or --min-gap 8 binds, 3 is the nearest feasible",
    );
    assert.equal(
      whyInfeasible(candidates, constraintsOf({ maxMb: 1, minGap: 20 })),
      "plan: expected something feasible, got nothing, whichever limit is dropped; each alone: --max-mb 1 binds, 1.5 MB is the nearest feasible; --min-gap 20 binds, 9 is the nearest feasible",
    );
  });
});

describe("candidates", () => {
  it("are every sharding with every placement, and all layers under SMPC without one", () => {
    const grid = { layers: 4, promptLength: 10, parties: [2, 3], trades: ["standard"], merge: "plain" } as const;
    const candidates = candidatesOf(grid);
    const [shapes, placements] = [cascadeShapes(10, "plain"), placementsOf(4)];
    assert.deepEqual(placements, ["none", "first:1", "first:2", "first:3", "last:1", "last:2", "last:3", "0,3", "all"]);
    assert.equal(candidates.length, shapes.length * (1 + 7 * 2) + 2);
    assert.equal(new Set(candidates.map((one) => JSON.stringify(one))).size, candidates.length);
    assert.deepEqual(placementsOf(1), ["none", "all"]);
    assert.deepEqual(
      cascadeShapes(10, "plain").filter(({ alpha, m }) => alpha === 2 && m === 1),
      [1, 2, 4, 5].map((c) => ({ alpha: 2, c, m: 1, merge: "plain" })),
    );
    // One shard has nothing to be masked in.
    assert.deepEqual(
      cascadeShapes(10, "masked"),
      shapes.filter(({ alpha, m }) => alpha * m > 1).map((shape) => ({ ...shape, merge: "masked" })),
    );
  });
});
