import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { shardingFrom, shardingRule, shards, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { gapAndCluster } from "../../../protocols/fusion/record/ledger.ts";
import { anyRule } from "./arbitraries.ts";

describe("shardings", () => {
  it("partition every range of positions", () => {
    fc.assert(
      fc.property(anyRule, fc.nat(60), fc.nat(60), (rule, from, length) => {
        const sharding = shardingFrom(rule);
        const parts = shards(sharding, from, from + length);
        assert.equal(parts.length, sharding.parts);
        const all = parts.flat().sort((a, b) => a - b);
        assert.deepEqual(
          all,
          Array.from({ length }, (_, at) => from + at),
        );
        for (const part of parts)
          assert.deepEqual(
            part,
            [...part].sort((a, b) => a - b),
          );
      }),
    );
  });

  it("survive the trip through JSON that the session description makes", () => {
    fc.assert(
      fc.property(anyRule, (rule) => {
        assert.deepEqual(shardingRule.parse(JSON.parse(JSON.stringify(rule))), rule);
      }),
    );
  });

  it("give clusters of c tokens whose gap is delta - c + 1", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 2, max: 8 }), (c, alpha) => {
        const delta = c * alpha;
        for (const part of shards(shardingFrom({ rule: "clusters", parts: alpha, c }), 0, 3 * delta))
          assert.deepEqual(gapAndCluster(part), { minGap: delta - c + 1, maxCluster: c });
      }),
    );
  });

  it("of the paper's setting c = 8, alpha = 8 leave a gap of 57", () => {
    const [first] = shards(shardingFrom({ rule: "clusters", parts: 8, c: 8 }), 0, 128);
    assert.deepEqual(first, [0, 1, 2, 3, 4, 5, 6, 7, 64, 65, 66, 67, 68, 69, 70, 71]);
    assert.equal(gapAndCluster(first).minGap, 57);
  });

  it("split refines its inner rule and leaves no part empty once each inner part has m tokens", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        (parts, c, m) => {
          const inner: ShardingRule = { rule: "clusters", parts, c };
          const split = shardingFrom({ rule: "split", m, of: inner });
          const length = parts * c * m;
          for (let t = 0; t < length; t++) assert.equal(Math.floor(split.owner(t) / m), shardingFrom(inner).owner(t));
          for (const part of shards(split, 0, length)) assert.ok(part.length > 0);
        },
      ),
    );
  });

  it("refuse a list that names a part beyond the last", () => {
    assert.throws(
      () => shardingFrom({ rule: "list", parts: 2, owners: [0, 1, 2] }),
      /expected owners below 2, got 2 at position 2/,
    );
  });
});
