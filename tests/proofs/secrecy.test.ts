import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EveryWord } from "../../proofs/secrecy/every-word.ts";
import { runSecrecy, secrecyLemmas } from "../../proofs/secrecy/secrecy-lemmas.ts";
import { opening } from "../../proofs/secrecy/steps.ts";
import { secrecyOf, type Step } from "../../proofs/secrecy/views.ts";

describe("secrecy over all randomness", () => {
  for (const lemma of secrecyLemmas(true))
    it(`${lemma.name} is ${lemma.expected}`, async () => {
      const record = await runSecrecy(lemma);
      assert.equal(record.failure, null);
      assert.ok(record.ok);
      assert.ok(record.cases > 0);
    });

  it("a fault among sound steps is red, and so is a sound step among faults", async () => {
    const [sound, fault] = [opening(2, 3, 3), opening(2, 3, 3, "short mask")];
    const said = { name: "", statement: "", widths: "" };
    const red = await runSecrecy({ ...said, expected: "proved", steps: [sound, fault] });
    assert.equal(red.ok, false);
    assert.match(red.failure ?? "", /all parties but 0 tell 0 from \d with advantage/);
    const missed = await runSecrecy({ ...said, expected: "refuted", steps: [sound, fault] });
    assert.equal(missed.ok, false);
    assert.match(missed.failure ?? "", /1 of 2 have distance 0/);
  });

  it("measures a known distance", async () => {
    // Party 0 sees x + r of a mask r in 0 ... 3, party 1 nothing: values 0 and 1 share three of four sums.
    const step: Step = {
      name: "one time pad without wrap",
      parties: 2,
      secrets: [0n, 1n],
      run(secret, random) {
        const mask = new BigUint64Array(secret.length);
        random.fillWords(mask, 2);
        const words = mask.map((r, i) => r + secret[i]);
        return { own: [[{ words, bits: 3 }], [{ words: new BigUint64Array(secret.length), bits: 1 }]], everyone: [] };
      },
    };
    assert.deepEqual(await secrecyOf(step), {
      distance: 0.25,
      compared: 2,
      where: "one time pad without wrap: all parties but 1 tell 0 from 1 with advantage 0.25",
    });
  });
});

describe("EveryWord", () => {
  it("hands out every combination of draws once", () => {
    const every = new EveryWord(5);
    const [left, right] = [new BigUint64Array(32), new BigUint64Array(32)];
    every.fillWords(left, 2);
    assert.throws(() => every.finish(), /expected 5 random bits, got 2 drawn/);
    every.fillWords(right, 3);
    every.finish();
    assert.equal(new Set([...left].map((word, i) => `${word} ${right[i]}`)).size, 32);
    assert.ok(left.every((word) => word < 4n) && right.every((word) => word < 8n));
  });

  it("refuses more draws than there is randomness, and arrays that miss choices", () => {
    assert.throws(() => new EveryWord(3).fillWords(new BigUint64Array(8), 4), /expected 3 random bits, got 4 drawn/);
    assert.throws(() => new EveryWord(3).fillWords(new BigUint64Array(4), 3), /expected 8 words, one a choice, got 4/);
  });
});
