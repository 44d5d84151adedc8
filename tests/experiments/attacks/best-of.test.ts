import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attack, Recovery } from "../../../experiments/lab/attack.ts";
import { bestOf, together } from "../../../experiments/attacks/best-of/attack.ts";

const recovery = (guesses: Record<number, number[]>, certified: number[] = []): Recovery => ({
  guesses: new Map(Object.entries(guesses).map(([position, ids]) => [Number(position), ids])),
  certified: new Set(certified),
  forwardPasses: 3,
  figures: {},
});

test("proven guesses come first, then those of the first attack, without repeats", () => {
  const joined = together([recovery({ 0: [7, 8], 1: [5] }), recovery({ 0: [9], 1: [6], 2: [4] }, [1])]);
  assert.deepEqual(
    [...joined.guesses],
    [
      [1, [6, 5]],
      [0, [7, 8, 9]],
      [2, [4]],
    ],
  );
  assert.deepEqual([...joined.certified], [1]);
  assert.equal(joined.forwardPasses, 6);
});

test("refuses options that aren't its own or its parts'", () => {
  const part = { name: "part", parseOptions: (value: unknown) => assert.deepEqual(value, { depth: 1 }) };
  const attack = bestOf((name) => {
    assert.equal(name, "part");
    return part as unknown as Attack<unknown>;
  });
  assert.throws(() => attack.parseOptions({ attacks: [] }), /best-of: attacks: expected/);
  assert.throws(() => attack.parseOptions({ attacks: [{ name: "part", options: { depth: 2 } }] }));
  assert.doesNotThrow(() => attack.parseOptions({ attacks: [{ name: "part", options: { depth: 1 } }] }));
});
