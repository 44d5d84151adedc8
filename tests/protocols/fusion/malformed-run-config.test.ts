/** Run configs that can't be: each is refused in one line that names the key, what was expected and what came. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SHARDING_RULES } from "../../../protocols/cascade/sharding.ts";
import { parseRunConfig, shardingsOf, type RunConfig } from "../../../protocols/fusion/config/run-config.ts";

/** Rules that others may be made of. */
const PLAIN_RULES = SHARDING_RULES.filter((rule) => rule !== "split" && rule !== "pairs-first");
const CLUSTERS = { rule: "clusters", parts: 2, c: 1 };

/** name, config, the whole error */
const MALFORMED: readonly [string, unknown, string][] = [
  ["nothing", undefined, "content: expected an object, got none"],
  ["null", null, "content: expected an object, got null"],
  ["a list", [1], "content: expected an object, got [1]"],
  ["a text", "alpha", 'content: expected an object, got "alpha"'],
  ["an unknown key", { gamma: 3 }, 'content: expected known keys only, got "gamma"'],
  [
    "a key in kebab-case",
    { "max-tokens": 3 },
    'content: expected known keys only, got "max-tokens"; did you mean maxTokens?',
  ],
  ["alpha a text", { alpha: "many" }, 'alpha: expected a number, got "many"'],
  ["alpha 0", { alpha: 0 }, "alpha: expected at least 1, got 0"],
  ["alpha a fraction", { alpha: 1.5 }, "alpha: expected an integer, got 1.5"],
  ["alpha too large", { alpha: 65 }, "alpha: expected at most 64, got 65"],
  ["alpha null", { alpha: null }, "alpha: expected a number, got null"],
  ["alpha not a number", { alpha: NaN }, "alpha: expected a number, got NaN"],
  ["c 0", { c: 0 }, "c: expected at least 1, got 0"],
  ["m negative", { m: -1 }, "m: expected at least 1, got -1"],
  ["beta too large", { beta: 100 }, "beta: expected at most 64, got 100"],
  ["beta a list", { beta: [2] }, "beta: expected a number, got [2]"],
  ["r a number", { r: 3 }, "r: expected an object, got 3"],
  [
    "r of an unknown rule",
    { r: { rule: "hash", parts: 2 } },
    `r.rule: expected one of ${SHARDING_RULES.join(", ")}, got "hash"`,
  ],
  ["r without parts", { r: { rule: "round-robin" } }, "r.parts: expected a number, got none"],
  ["r with a key too many", { r: { ...CLUSTERS, m: 2 } }, 'r: expected known keys only, got "m"'],
  ["an empty list of owners", { r: { rule: "list", parts: 1, owners: [] } }, "r.owners: expected some members, got []"],
  ["a negative owner", { s: { rule: "list", parts: 2, owners: [0, -1] } }, "s.owners[1]: expected at least 0, got -1"],
  [
    "a split of a split",
    { s: { rule: "split", m: 2, of: { rule: "split", m: 2, of: CLUSTERS } } },
    `s.of.rule: expected one of ${PLAIN_RULES.join(", ")}, got "split"`,
  ],
  ["a split into none", { s: { rule: "split", m: 0, of: CLUSTERS } }, "s.m: expected at least 1, got 0"],
  ["another word", { wire: "float64" }, 'wire: expected one of float32, float16, got "float64"; did you mean float32?'],
  ["another head", { head: "server" }, 'head: expected one of client, compnode, smpc, delegated, got "server"'],
  ["another place", { place: "cloud" }, 'place: expected one of processes, sockets, memory, got "cloud"'],
  ["no tokens", { maxTokens: 0 }, "maxTokens: expected at least 1, got 0"],
  ["tokens without end", { maxTokens: 1e30 }, "maxTokens: expected at most 100000, got 1e+30"],
  ["a negative temperature", { temperature: -1 }, "temperature: expected at least 0, got -1"],
  ["an infinite temperature", { temperature: Infinity }, "temperature: expected a number, got Infinity"],
  ["a negative topK", { topK: -3 }, "topK: expected at least 0, got -3"],
  ["topP 0", { topP: 0 }, "topP: expected more than 0, got 0"],
  ["topP above 1", { topP: 1.01 }, "topP: expected at most 1, got 1.01"],
  ["a fraction for a seed", { seed: 0.5 }, "seed: expected an integer, got 0.5"],
  ["no model", { model: "" }, 'model: expected some text, got ""'],
  ["a number for a model", { model: 7 }, "model: expected text, got 7"],
  ["a text for a switch", { insecurePlaintext: "no" }, 'insecurePlaintext: expected true or false, got "no"'],
  ["views a switch", { views: true }, "views: expected text, got true"],
  [
    "layers of no kind",
    { smpcLayers: "second:1" },
    'smpcLayers: expected none, all, first:K, last:K or a list such as 0,3, got "second:1"',
  ],
  [
    "a preset with a slip",
    { preset: "hiden" },
    'preset: expected one of hybrid, hidden, cascade, smpc, plain, got "hiden"; did you mean hidden?',
  ],
  [
    "a placement without a way",
    { placement: "all" },
    'placement: expected LAYERS=HOW, parted by semicolons, such as first:1=smpc; last:2=delegated, got "all"',
  ],
  [
    "a placement with a slip",
    { placement: "first:1=smpc; last:2=delegate" },
    'placement: expected cascade, delegated, smpc or smpc:GROUPS after last:2=, got "delegate"; did you mean delegated?',
  ],
  [
    "a placement of no layers",
    { placement: "some=smpc" },
    'placement: expected all, first:K, last:K or a list such as 0,3-5 before =smpc, got "some"',
  ],
  [
    "an unknown group of gates",
    { placement: "all=smpc:norm+atention" },
    'placement: expected smpc:GROUPS of attention+norm+activation after all=, got "smpc:norm+atention"; did you mean attention?',
  ],
  ["some layers plain", { placement: "last:1=plain" }, 'placement: expected all=plain alone, got "last:1=plain"'],
  ["a single SMPC party", { parties: 1 }, "parties: expected at least 2, got 1"],
  ["an SMPC party that deals", { dealer: "smpc.0" }, 'dealer: expected one of client, dealer, got "smpc.0"'],
  ["no patience", { idleDeadlineMs: 0 }, "idleDeadlineMs: expected at least 1, got 0"],
];

/** Configs of good keys that don't go together. */
const CONTRADICTORY: readonly [string, Record<string, unknown>, RegExp][] = [
  ["beta and m", { beta: 2, m: 2 }, /^beta and m: expected one of them, got beta 2 and m 2/],
  ["too many AttnNodes", { alpha: 64, m: 64 }, /^beta: expected at most 64 shards, got 4096/],
  ["too many CompNodes", { r: { rule: "round-robin", parts: 65 } }, /^alpha: expected at most 64 shards, got 65/],
  [
    "m of a split",
    { m: 2, r: { rule: "split", m: 2, of: CLUSTERS } },
    /^m: expected an R-sharding .*, got split; give s in full/,
  ],
  [
    "an owner that is no part",
    { r: { rule: "list", parts: 2, owners: [0, 2] } },
    /^sharding list: expected owners below 2, got 2 at position 1/,
  ],
];

describe("parseRunConfig", () => {
  it("takes an empty config, and one whose every value is good", () => {
    assert.equal(parseRunConfig({}).alpha, 4);
    assert.deepEqual(shardingsOf(parseRunConfig({ r: CLUSTERS })), { r: CLUSTERS, s: CLUSTERS });
  });

  for (const [name, config, error] of MALFORMED) {
    it(`refuses ${name}`, () => {
      assert.throws(() => parseRunConfig(config), { message: error });
      assert.throws(() => parseRunConfig(config, "config some.json: "), { message: `config some.json: ${error}` });
    });
  }

  it("says three faults and counts the others", () => {
    assert.throws(() => parseRunConfig({ alpha: 0, c: 0, m: 0, seed: -1, topK: -1 }), {
      message:
        "alpha: expected at least 1, got 0\nc: expected at least 1, got 0\nm: expected at least 1, got 0; and 2 more",
    });
  });

  it("cuts a long value", () => {
    assert.throws(
      () => parseRunConfig({ alpha: "many".repeat(100) }),
      (error: Error) => error.message.length < 120 && error.message.endsWith("..."),
    );
  });

  it("gives a config or an error of at most three lines, for any JSON under any key", () => {
    const keys = Object.keys(parseRunConfig({}));
    const entry = fc.tuple(fc.oneof(fc.constantFrom(...keys, "r", "s", "beta"), fc.string()), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), (entries) => {
        let config: RunConfig | null = null;
        try {
          config = parseRunConfig(Object.fromEntries(entries));
        } catch (error) {
          const { message } = error as Error;
          assert.ok(message.split("\n").length <= 3, message);
          for (const line of message.split("\n")) assert.match(line, /^.+: expected .+, got .+$/);
        }
        if (config !== null) assert.ok(config.alpha >= 1);
      }),
    );
  });
});

describe("shardingsOf", () => {
  for (const [name, config, fault] of CONTRADICTORY) {
    it(`refuses ${name}`, () => {
      const parsed = parseRunConfig(config);
      assert.throws(() => shardingsOf(parsed), { message: fault });
    });
  }
});
