import fc from "fast-check";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";

/** Records as JSON.parse makes them. */
const plain = { noNullPrototype: true };
const parts = fc.integer({ min: 1, max: 6 });

type PlainRule = Exclude<ShardingRule, { rule: "split" | "pairs-first" }>;

/** Every rule that others may be made of, so that a new one can't be left out. */
const PLAIN_RULES: { readonly [Name in PlainRule["rule"]]: fc.Arbitrary<Extract<PlainRule, { rule: Name }>> } = {
  clusters: fc.record({ rule: fc.constant("clusters" as const), parts, c: fc.integer({ min: 1, max: 5 }) }, plain),
  "round-robin": fc.record({ rule: fc.constant("round-robin" as const), parts }, plain),
  contiguous: fc.record(
    { rule: fc.constant("contiguous" as const), parts, length: fc.integer({ min: 1, max: 40 }) },
    plain,
  ),
  list: parts.chain((count) => {
    const owners = fc.array(fc.nat(count - 1), { minLength: 1, maxLength: 24 });
    return fc.record({ rule: fc.constant("list" as const), parts: fc.constant(count), owners }, plain);
  }),
};
const plainRule: fc.Arbitrary<PlainRule> = fc.oneof(...Object.values(PLAIN_RULES));

/** Any sharding rule of up to 6 parts (18 after a split). */
export const anyRule: fc.Arbitrary<ShardingRule> = fc.oneof(
  plainRule,
  fc.record({ rule: fc.constant("split" as const), m: fc.integer({ min: 1, max: 3 }), of: plainRule }, plain),
  fc.record({ rule: fc.constant("pairs-first" as const), of: plainRule }, plain),
);
