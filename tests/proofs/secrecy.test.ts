import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountedChoices, choiceBits, RandomChoices } from "../../proofs/secrecy/random-choices.ts";
import { runSecrecy, secrecyLemmas } from "../../proofs/secrecy/secrecy-lemmas.ts";
import { partiesStep } from "../../proofs/secrecy/steps.ts";
import { opening } from "../../proofs/secrecy/tiny-plans.ts";
import { secrecyOf, type Step } from "../../proofs/secrecy/views.ts";
import type { BatchStreams } from "../../shares/stream-book.ts";

describe("secrecy over all randomness", () => {
  for (const lemma of secrecyLemmas(true))
    it(`${lemma.name} is ${lemma.expected}`, async () => {
      const record = await runSecrecy(lemma);
      assert.equal(record.failure, null);
      assert.ok(record.ok);
      assert.ok(record.cases > 0);
    });

  it("a fault among sound steps is red, and so is a sound step among faults", async () => {
    const sound = partiesStep(opening(3, 3), 2);
    const short = partiesStep(opening(3, 3), 2, {
      bits: (purpose, bits) => bits - (purpose.endsWith("/mask") ? 1 : 0),
    });
    const said = { name: "", statement: "", widths: "" };
    const red = await runSecrecy({ ...said, expected: "proved", steps: [sound, short] });
    assert.equal(red.ok, false);
    assert.match(red.failure ?? "", /n = 2: party 1 tells x = 0 from x = \d with advantage/);
    const missed = await runSecrecy({ ...said, expected: "refuted", steps: [sound, short] });
    assert.equal(missed.ok, false);
    assert.match(missed.failure ?? "", /1 of 2 have distance 0/);
  });

  it("is refused where a party draws other words than the dealer", async () => {
    let draws = 0;
    const step = partiesStep(opening(3, 3), 2, {
      bits: (purpose, bits) => bits - (purpose.endsWith("/mask") && draws++ === 0 ? 1 : 0),
    });
    await assert.rejects(secrecyOf(step), /stream party 0 1\/mask: expected words of 2 bits as elsewhere, got 3/);
  });

  /** Who sees x + r of a mask r in 0 ... 3, where values 0 and 1 share three of four sums; in slices of two choices. */
  const padded = (allowed: Step["allowed"]): Step => ({
    name: "one time pad without wrap",
    secrets: [{ x: 0n }, { x: 1n }],
    coalitions: ["who sees the sum", "who sees nothing"],
    allowed,
    run: ({ x }) =>
      Promise.resolve({
        choices: 4,
        slice: 2,
        views: (first, count) => {
          const words = BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i) + x);
          return Promise.resolve([[{ words, bits: 3 }], [{ words: new BigUint64Array(count), bits: 1 }]]);
        },
      }),
  });

  it("measures a known distance", async () => {
    assert.deepEqual(await secrecyOf(padded(() => "")), {
      distance: 0.25,
      compared: 2,
      choices: 4,
      where: "one time pad without wrap: who sees the sum tells x = 0 from x = 1 with advantage 0.25",
    });
  });

  it("compares only secrets that a coalition may not tell apart, and refuses to say anything of none", async () => {
    const { distance, compared } = await secrecyOf(
      padded(({ x }, coalition) => (coalition === "who sees the sum" ? String(x) : "")),
    );
    assert.deepEqual([distance, compared], [0, 1]);
    await assert.rejects(
      secrecyOf(padded(({ x }) => String(x))),
      /expected secrets that a coalition may not tell apart, got none/,
    );
  });
});

describe("RandomChoices", () => {
  /** Two words of 2 bits an element by one seed, one of 1 bit by two who have the other. */
  function draw(streams: (seed: string) => BatchStreams, elements: number): BigUint64Array[] {
    const [left, right, again] = [2, 1, 1].map((words) => new BigUint64Array(words * elements));
    const first = streams("a").stream("pairs");
    first.fillWords(left.subarray(0, elements), 2);
    first.fillWords(left.subarray(elements), 2);
    streams("b").stream("bits").fillWords(right, 1);
    streams("b").stream("bits").fillWords(again, 1);
    assert.deepEqual(again, right, "whoever has a seed draws the same");
    return [left, right];
  }

  it("hands out every combination of draws once", () => {
    const counted = new CountedChoices();
    draw((seed) => counted.streams(seed), 1);
    const layout = counted.layout();
    assert.equal(choiceBits(layout), 5);
    assert.deepEqual(
      counted.knownTo(new Set(["b"])).map(({ purpose, bits, words }) => [purpose, bits, words]),
      [["bits", 1, 1]],
    );
    const seen = new Set<string>();
    for (const first of [0, 16]) {
      const choices = new RandomChoices(layout, first, 16);
      const [pairs, bits] = draw((seed) => choices.streams(seed), 16);
      const [drawn] = layout;
      assert.deepEqual(
        choices.words(drawn, 1),
        BigUint64Array.from({ length: 16 }, (_, i) => pairs[2 * i + 1]),
      );
      for (let i = 0; i < 16; i++) seen.add(`${pairs[2 * i]} ${pairs[2 * i + 1]} ${bits[i]}`);
    }
    assert.equal(seen.size, 32);
  });

  it("refuses more draws than were counted, of other bits, and of other streams", () => {
    const counted = new CountedChoices();
    draw((seed) => counted.streams(seed), 1);
    const choices = new RandomChoices(counted.layout(), 0, 4);
    const words = (count: number) => new BigUint64Array(count);
    assert.throws(
      () => choices.streams("b").stream("bits").fillWords(words(5), 1),
      /expected 1 words of 1 bits an element, got 5 of 1 for 4/,
    );
    assert.throws(
      () => choices.streams("b").stream("bits").fillWords(words(4), 2),
      /expected 1 words of 1 bits an element, got 4 of 2/,
    );
    assert.throws(
      () => choices.streams("b").stream("other").fillWords(words(4), 1),
      /stream b other: expected 0 words/,
    );
    assert.throws(() => counted.streams("b").stream("bits").fillWords(words(1), -1), /expected 0 bits or more, got -1/);
  });
});
