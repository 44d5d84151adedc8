import { z } from "zod";

/**
 * A partition of the token positions 0, 1, 2, ... over `parts` nodes, as a public rule. It covers every position, so a generated
 * token has its owner by the same rule as the prompt.
 */
export interface Sharding {
  readonly rule: ShardingRule;
  readonly parts: number;
  /** The part that owns a position. */
  owner(position: number): number;
}

const count = z.int().min(1).max(4096);

/** The named constructors, as JSON. */
const plainRule = z.discriminatedUnion("rule", [
  /** (c, delta)-sharding with delta = c · parts: clusters of c consecutive tokens go to the parts in turn (arXiv 2507.05228). */
  z.strictObject({ rule: z.literal("clusters"), parts: count, c: count }),
  /** One token each in turn: clusters with c = 1. */
  z.strictObject({ rule: z.literal("round-robin"), parts: count }),
  /** `parts` blocks of consecutive tokens over the first `length` positions; the last part owns what follows. */
  z.strictObject({ rule: z.literal("contiguous"), parts: count, length: z.int().min(1) }),
  /** Any partition: the owner of each position; positions beyond the list start it again. */
  z.strictObject({ rule: z.literal("list"), parts: count, owners: z.array(z.int().min(0)).min(1) }),
]);

/** Every cluster of another rule is split into m parts: parts grow to m · parts, each sees fewer tokens. */
const splitRule = z.strictObject({ rule: z.literal("split"), m: count, of: plainRule });

/**
 * The first 2 · parts positions go to the parts in pairs, the others as another rule says: from any position on, a part has no key at
 * or before it, its own, or at least two. So no causal row without a window sees a single key of a shard, but its own.
 */
const pairsFirstRule = z.strictObject({
  rule: z.literal("pairs-first"),
  of: z.discriminatedUnion("rule", [plainRule, splitRule]),
});

export const shardingRule = z.discriminatedUnion("rule", [plainRule, splitRule, pairsFirstRule]);
export type ShardingRule = z.infer<typeof shardingRule>;

/** The names of all rules, those that others may be made of first. */
export const SHARDING_RULES: readonly ShardingRule["rule"][] = [...plainRule.options, splitRule, pairsFirstRule].map(
  ({ shape }) => shape.rule.value,
);

/** The sharding that a rule describes. Throws RangeError where an explicit list names a part that does not exist. */
export function shardingFrom(rule: ShardingRule): Sharding {
  switch (rule.rule) {
    case "clusters":
      return { rule, parts: rule.parts, owner: (t) => Math.floor(t / rule.c) % rule.parts };
    case "round-robin":
      return { rule, parts: rule.parts, owner: (t) => t % rule.parts };
    case "contiguous": {
      const block = Math.ceil(rule.length / rule.parts);
      return { rule, parts: rule.parts, owner: (t) => Math.min(Math.floor(t / block), rule.parts - 1) };
    }
    case "list": {
      const wrong = rule.owners.findIndex((part) => part >= rule.parts);
      if (wrong >= 0)
        throw new RangeError(
          `sharding list: expected owners below ${rule.parts}, got ${rule.owners[wrong]} at position ${wrong}`,
        );
      return { rule, parts: rule.parts, owner: (t) => rule.owners[t % rule.owners.length] };
    }
    case "split":
      return split(rule);
    case "pairs-first": {
      const inner = shardingFrom(rule.of);
      const { parts } = inner;
      return { rule, parts, owner: (t) => (t < 2 * parts ? Math.floor(t / 2) : inner.owner(t)) };
    }
  }
}

/**
 * The m-split: part p of the inner rule becomes parts p·m .. p·m + m - 1. A cluster of c >= m tokens is cut into m runs of equal
 * size (up to one); shorter clusters go to the m parts in turn, so that no part stays empty.
 */
function split(rule: Extract<ShardingRule, { rule: "split" }>): Sharding {
  const inner = shardingFrom(rule.of);
  const { m } = rule;
  const place = rule.of.rule === "clusters" ? clusterPlace(rule.of.c, inner.parts, m) : runPlace(inner, m);
  return { rule, parts: inner.parts * m, owner: (t) => inner.owner(t) * m + place(t) };
}

/** Where in its cluster's split a position lies, for clusters of c tokens. */
function clusterPlace(c: number, parts: number, m: number): (position: number) => number {
  if (c >= m) return (t) => Math.floor(((t % c) * m) / c);
  return (t) => (Math.floor(t / (c * parts)) * c + (t % c)) % m;
}

/** For rules without a cluster size: the tokens of a part go to its m parts in turn. */
function runPlace(inner: Sharding, m: number): (position: number) => number {
  const places: number[] = [];
  const seen = Array.from({ length: inner.parts }, () => 0);
  return (t) => {
    while (places.length <= t) places.push(seen[inner.owner(places.length)]++ % m);
    return places[t];
  };
}

/** The positions of [from, to) that each part owns, ascending: an array [parts] of arrays. */
export function shards(sharding: Sharding, from: number, to: number): number[][] {
  const result: number[][] = Array.from({ length: sharding.parts }, () => []);
  for (let t = from; t < to; t++) result[sharding.owner(t)].push(t);
  return result;
}
