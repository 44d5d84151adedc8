/** Laws of the leak model: more parties, more clear layers and a shorter public prefix never tell less; shares tell nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { evidenceOf, nodesOf, worstEvidence } from "../../../experiments/plan/leak/party-evidence.ts";
import { readPositions } from "../../../experiments/plan/leak/read-positions.ts";
import { DEFAULT_SIZES, windowPasses } from "../../../experiments/plan/leak/window-passes.ts";
import type { AttentionSpec } from "../../../layers/program.ts";
import { Schedule } from "../../../protocols/cascade/schedule.ts";

const LAYERS = 4;
const VOCABULARY = 2048;

interface Shape {
  readonly alpha: number;
  readonly c: number;
  readonly m: number;
  readonly masked: boolean;
  readonly smpc: readonly number[];
  readonly prefixLength: number;
  readonly causal: boolean;
  readonly promptLength: number;
}

const SHAPE: Shape = { alpha: 4, c: 2, m: 1, masked: false, smpc: [], prefixLength: 0, causal: true, promptLength: 32 };

function scheduleOf(given: Partial<Shape>): Schedule {
  const { alpha, c, m, masked, smpc, prefixLength, causal, promptLength } = { ...SHAPE, ...given };
  const attention = { heads: 6, kvHeads: 2, headDim: 32, causal, window: null } as unknown as AttentionSpec;
  return new Schedule({
    r: { rule: "clusters", c, parts: alpha },
    s: { rule: "split", m, of: { rule: "clusters", c, parts: alpha } },
    prefixLength,
    promptLength,
    maxNewTokens: 1,
    attention: Array.from({ length: LAYERS }, () => attention),
    masked,
    smpc: smpc.length === 0 ? null : { layers: smpc, parties: 2, dealer: "client" },
  });
}

const read = (given: Partial<Shape>, ...parties: string[]): number[] =>
  [...readPositions({ schedule: scheduleOf(given), vocabulary: VOCABULARY }, parties).keys()].sort((a, b) => a - b);

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

describe("positions that a view determines", () => {
  it("are all before a CompNode's last row, in any placement that leaves it a clear row", () => {
    for (const smpc of [[], [0], [0, 1, 2], [1, 2, 3], [0, 3]])
      for (const masked of [false, true])
        assert.deepEqual(read({ smpc, masked }, "comp.3"), range(0, 32), JSON.stringify({ smpc, masked }));
    assert.deepEqual(read({ smpc: [0] }, "comp.0"), range(0, 26));
  });

  it("are none for an SMPC party, all for all of them, and unknown for an encoder's later rows", () => {
    const all = { schedule: scheduleOf({ smpc: [0, 1, 2, 3] }), vocabulary: VOCABULARY };
    assert.equal(evidenceOf(all, ["smpc.0"]).evidence, "proved");
    assert.equal(evidenceOf(all, ["smpc.0", "smpc.1"]).readings.size, 32);
    assert.equal(worstEvidence(all, 1)!.evidence, "proved");
    const encoder = { schedule: scheduleOf({ smpc: [0], causal: false }), vocabulary: VOCABULARY };
    // Its own tokens by a probe; what else its rows hold is unknown.
    assert.deepEqual(
      [...readPositions(encoder, ["comp.0"]).values()].map(({ rule }) => rule),
      Array.from({ length: 8 }, () => "own token"),
    );
  });

  it("take sums where merged rows have no more unknown keys than heads share a value head, and clear rows beyond", () => {
    const rules = (alpha: number): Set<string> =>
      new Set(
        [
          ...readPositions({ schedule: scheduleOf({ alpha, c: 1, masked: true, smpc: [0] }), vocabulary: VOCABULARY }, [
            "comp.0",
          ]).values(),
        ].map(({ rule }) => rule),
      );
    assert.deepEqual(rules(4), new Set(["own row", "sums"]));
    assert.deepEqual(rules(5), new Set(["own row", "clear row"]));
  });

  const shape = fc.record({
    alpha: fc.integer({ min: 1, max: 6 }),
    c: fc.integer({ min: 1, max: 3 }),
    m: fc.integer({ min: 1, max: 2 }),
    masked: fc.boolean(),
    smpc: fc.subarray(range(0, LAYERS)),
    prefixLength: fc.integer({ min: 0, max: 8 }),
    causal: fc.boolean(),
    promptLength: fc.integer({ min: 1, max: 40 }),
  });

  it("grow with the coalition, with clear layers and with secrets that are public no more", () => {
    let [checked, more] = [0, 0];
    fc.assert(
      fc.property(shape, fc.nat(), fc.nat(), (given, one, other) => {
        const nodes = nodesOf(scheduleOf(given));
        if (nodes.length === 0) return;
        const [a, b] = [nodes[one % nodes.length], nodes[other % nodes.length]];
        const alone = read(given, a);
        const both = new Set(read(given, ...new Set([a, b])));
        assert.ok(
          alone.every((position) => both.has(position)),
          "with another party",
        );
        const clearer = { ...given, smpc: given.smpc.slice(1) };
        if (!a.startsWith("smpc")) {
          const now = new Set(read(clearer, a));
          assert.ok(
            alone.every((position) => now.has(position)),
            "with a layer more in the clear",
          );
        }
        assert.ok(
          alone.every(
            (position) => position >= given.prefixLength && position < given.prefixLength + given.promptLength,
          ),
        );
        checked++;
        if (both.size > alone.length) more++;
      }),
      { numRuns: 300 },
    );
    assert.ok(checked >= 250 && more >= 20, `${checked} checked, ${more} with more`);
  });

  it("are as public as the merge: a masked one never tells more", () => {
    let checked = 0;
    fc.assert(
      fc.property(shape, fc.nat(), (given, one) => {
        const nodes = nodesOf(scheduleOf(given)).filter((node) => !node.startsWith("smpc"));
        if (nodes.length === 0) return;
        const node = nodes[one % nodes.length];
        const plain = new Set(read({ ...given, masked: false }, node));
        assert.ok(read({ ...given, masked: true }, node).every((position) => plain.has(position)));
        checked++;
      }),
      { numRuns: 200 },
    );
    assert.ok(checked >= 100);
  });
});

describe("the price of a window", () => {
  it("is contexts times vocabulary times what follows each place, fills and guesses beside it", () => {
    const sizes = { vocabulary: 10, fills: 0, contexts: 2, ownCandidates: 3, beam: 0 };
    assert.equal(windowPasses(2, 1, sizes), 2 * (10 * 3 + 10 * 2 + 3 * 1));
    const real = { ...DEFAULT_SIZES, vocabulary: VOCABULARY };
    assert.ok(windowPasses(14, 2, real) > 3 * windowPasses(7, 1, real));
  });
});
