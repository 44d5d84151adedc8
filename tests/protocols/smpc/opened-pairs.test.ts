/**
 * Do two opened words tell something that neither tells alone? X = x + r and Y = y + s, r and s independent, have a uniform difference and
 * a uniform sum, whatever x and y are; under one mask twice the difference is x - y.
 *
 * On one input the difference under one mask is the same in every run, up to rounding. So for every pair of words the differences (and
 * sums) of RUNS runs are compared with one another: uniform ones mod 2^k collide once in 2^k pairs of runs. Pairs: neighbours in one
 * opening; two openings of a step at the same place; an opening of the prompt and one of the next step at the same place.
 * Verdict rule: the collisions of two openings, summed over at most PLACES places, above their mean m by more than 8 sqrt(m) + 8: less
 * than once in 10^10 for each of about 1,000 comparisons. Power: the same mask in one place is 45 collisions of 45, above every limit
 * here; where rounding moves the difference by a unit or two, in two places. Positive controls: all masks of a party from one stream, masks
 * of the steps from one stream, one word that all masks of a step share, one mask for a whole opening. Limits: masks that depend on one another in other ways than by sum or
 * difference, and three words or more: proofs/secrecy, for the primitives.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { WireInfo } from "../../../protocols/smpc/plan/value.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { Generator } from "../../../shares/generator.ts";
import type { BatchStreams, WordStream } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { openedWires } from "./opened-wires.ts";
import { tinyLayer } from "./tiny-plan.ts";

const RUNS = 10;
const PAIRS_OF_RUNS = (RUNS * (RUNS - 1)) / 2;
const PLACES = 16;
const ROWS = 4;

type Kind = "in one opening" | "in two openings" | "in two steps";

/** Collisions of the differences or sums of some pairs of words, beside what uniform ones have on average. */
interface Comparison {
  readonly kind: Kind;
  readonly what: string;
  collisions: number;
  mean: number;
}

/** An opening of a step: of each run, its words. */
interface Opening {
  readonly index: number;
  readonly bits: number;
  readonly runs: readonly Words[];
}

/** Comparisons of a tiny layer's openings that collide more than uniform words do, and how many comparisons there were. */
async function suspects(
  kind: "llama" | "gpt2",
  insecureStreams?: (seed: Uint8Array) => { batch(name: string): BatchStreams },
): Promise<{ found: Comparison[]; compared: number }> {
  const layer = tinyLayer(kind, "opened pairs");
  const plans = [layer.plan(ROWS, 0), layer.plan(1, ROWS)];
  const inputs = [layer.rows(ROWS, "one prompt"), layer.rows(1, "one token")];
  const runs: Map<number, Words>[][] = [];
  for (let run = 0; run < RUNS; run++) {
    const simulation = new Simulation(2, layer.factors, undefined, insecureStreams);
    for (const [step, plan] of plans.entries()) await simulation.run(plan, { x: inputs[step] });
    runs.push([
      openedWires(plans[0], simulation.opened.slice(0, plans[0].rounds)),
      openedWires(plans[1], simulation.opened.slice(plans[0].rounds)),
    ]);
  }
  const [prompt, token] = plans.map((plan, step) =>
    openingsOf(
      plan,
      runs.map((steps) => steps[step]),
    ),
  );
  const comparisons = [
    ...prompt.map((opening) => compare("in one opening", opening, opening, 1)),
    ...prompt.flatMap((first, at) =>
      prompt.slice(at + 1).map((second) => compare("in two openings", first, second, 0)),
    ),
    ...prompt.flatMap((first) => token.map((second) => compare("in two steps", first, second, 0))),
  ].flat();
  return {
    found: comparisons.filter(({ collisions, mean }) => collisions > mean + 8 * Math.sqrt(mean) + 8),
    compared: comparisons.length,
  };
}

const openingsOf = (plan: Plan, runs: readonly Map<number, Words>[]): Opening[] =>
  plan.instructions.flatMap((instruction, index) =>
    instruction.gate === "open"
      ? [{ index, bits: (plan.values[instruction.out] as WireInfo).bits, runs: runs.map((words) => words.get(index)!) }]
      : [],
  );

/** Words of one opening beside words of another `apart` places on: their differences, and their sums. */
function compare(kind: Kind, first: Opening, second: Opening, apart: number): Comparison[] {
  const bits = Math.min(first.bits, second.bits);
  const places = Math.min(first.runs[0].length, second.runs[0].length - apart, PLACES);
  return [-1n, 1n].map((sign) => {
    let collisions = 0;
    for (let place = 0; place < places; place++) {
      const times = new Map<bigint, number>();
      for (let run = 0; run < RUNS; run++) {
        const word = BigInt.asUintN(bits, first.runs[run][place] + sign * second.runs[run][place + apart]);
        const before = times.get(word) ?? 0;
        collisions += before;
        times.set(word, before + 1);
      }
    }
    const what = `open ${first.index} ${sign === 1n ? "plus" : "less"} open ${second.index}`;
    return { kind, what, collisions, mean: (Math.max(0, places) * PAIRS_OF_RUNS) / 2 ** bits };
  });
}

for (const kind of ["llama", "gpt2"] as const)
  test(`${kind}: pairs of opened words have uniform differences and sums`, async () => {
    const { found, compared } = await suspects(kind);
    assert.ok(compared > 500, `expected hundreds of comparisons, got ${compared}`);
    assert.deepEqual(found, []);
  });

/** Streams in which masks are drawn as a fault would draw them; what is dealt is as it should be. */
const faulty = (mask: (seed: Uint8Array, batch: string, purpose: string) => WordStream) => (seed: Uint8Array) => ({
  batch: (batch: string): BatchStreams => ({
    stream: (purpose) =>
      purpose.endsWith("/mask") ? mask(seed, batch, purpose) : new Generator(seed, JSON.stringify([batch, purpose])),
  }),
});

const kindsOf = (found: readonly Comparison[]): Kind[] => [...new Set(found.map(({ kind }) => kind))].sort();

test("positive control: all masks of a party from one stream are found in openings and steps", async () => {
  const { found } = await suspects(
    "llama",
    faulty((seed) => new Generator(seed, "mask")),
  );
  assert.deepEqual(kindsOf(found), ["in two openings", "in two steps"]);
});

test("positive control: masks without the step in their name are found over steps alone", async () => {
  const { found } = await suspects(
    "llama",
    faulty((seed, _batch, purpose) => new Generator(seed, purpose)),
  );
  assert.deepEqual(kindsOf(found), ["in two steps"]);
  assert.ok(found.length >= 5, `expected several openings, got ${found.length}`);
});

test("positive control: a single word that all masks share is found", async () => {
  const { found } = await suspects(
    "llama",
    faulty((seed, batch, purpose) => {
      const own = new Generator(seed, JSON.stringify([batch, purpose]));
      return {
        fillWords(out, bits) {
          own.fillWords(out, bits);
          new Generator(seed, `${batch}/shared`).fillWords(out.subarray(0, 1), bits);
        },
        packedWords: () => assert.fail("masks are drawn as words"),
      };
    }),
  );
  assert.deepEqual(kindsOf(found), ["in two openings"]);
});

test("positive control: one mask for a whole opening is found in every opening", async () => {
  const { found } = await suspects(
    "llama",
    faulty((seed, batch, purpose) => {
      const one: Words = new BigUint64Array(1);
      return {
        fillWords(out, bits) {
          new Generator(seed, `${batch}/${purpose}`).fillWords(one, bits);
          out.fill(one[0]);
        },
        packedWords: () => assert.fail("masks are drawn as words"),
      };
    }),
  );
  assert.deepEqual(kindsOf(found), ["in one opening"]);
  assert.ok(found.length >= 10, `expected nearly every opening, got ${found.length}`);
});
