import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attack, Recovery } from "../../../experiments/lab/attack.ts";
import { bestOf, together } from "../../../experiments/attacks/best-of/attack.ts";
import { attackNamed } from "../../../experiments/attacks/registry.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { openMatchingModel } from "./matching-model.ts";

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

test("reads of a real view what each of its parts reads, proven tokens first, and proves nothing of noise", async () => {
  const matching = await openMatchingModel({ alpha: 3, c: 2 }, 0, 14);
  try {
    const { ids, session } = matching.attacked;
    const view = session.view(["comp.0"]);
    const part = async (name: string, options: unknown): Promise<[Recovery, Recovery]> => {
      const attack = attackNamed(name);
      const prepared = await attack.prepare(matching.preparation, attack.parseOptions(options));
      try {
        const recover = (seen: typeof view): Promise<Recovery> =>
          prepared.recover(seen, matching.known(), { forwardPasses: 4000, seed: 1 });
        return [await recover(view), await recover(noiseView(view, 3))];
      } finally {
        await prepared.close();
      }
    };
    const parts = [{ name: "additive-decode" }, { name: "partial-softmax" }];
    const [sums] = await part("additive-decode", {});
    const [whole, noise] = await part("best-of", { attacks: parts });
    const before = Math.max(...sums.certified);
    assert.ok(sums.certified.size > ids.length / 2, "the part that works proves most tokens");
    for (const position of sums.certified) assert.ok(whole.certified.has(position));
    for (let position = 0; position <= before; position++)
      if (whole.certified.has(position)) assert.equal(whole.guesses.get(position)![0], ids[position]);
    const hidden = [...noise.certified].filter((position) => session.schedule.r.owner(position) !== 0);
    assert.deepEqual(hidden, []);
  } finally {
    await matching.close();
  }
});
