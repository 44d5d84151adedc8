/**
 * Does anything but uniform words leave a party? Marginals only: of every wire that a plan opens, the opened words X = x + r mod 2^k of
 * many runs on one input are counted in 16 classes, by their top and by their low bits.
 *
 * Verdict rule: a chi-square above LIMIT (15 degrees of freedom: one in 10^7 uniform samples) fails; there are about 40 wires and two
 * counts. Positive controls: masks one bit short, masks of zeros in one wire of the plan (a value opened in the clear), must be found.
 * Power: with 1500 words a wire, a class that is 1.4 times as likely as it should be is found nearly always. Pairs of words are
 * looked at in opened-pairs.test.ts, all words together by proofs/secrecy for the primitives, exhaustively.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { WireInfo } from "../../../protocols/smpc/plan/value.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import { DEFAULT_PRECISION, FINE_PRECISION, type Precision } from "../../../protocols/smpc/lowering/precision.ts";
import { Simulation } from "../../../protocols/smpc/run/simulation.ts";
import { openedWires } from "./opened-wires.ts";
import { tinyLayer } from "./tiny-plan.ts";

const CLASSES = 16;
const LIMIT = 65;
const ENOUGH_WORDS = 1500;
/** A wire of few words is counted over at most so many runs. */
const MOST_RUNS = 120;

/** Chi-square of the top and of the low four bits of some words. */
function chiSquares(words: readonly bigint[], bits: number): number[] {
  return [BigInt(bits - 4), 0n].map((shift) => {
    const counts = Array.from({ length: CLASSES }, () => 0);
    for (const word of words) counts[Number((word >> shift) & 15n)]++;
    const expected = words.length / CLASSES;
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  });
}

/** The openings of a tiny layer whose words are not uniform, as "instruction: chi-square". */
async function suspects(
  kind: "llama" | "gpt2",
  insecureMask?: (mask: Words, bits: number) => void,
  precision: Precision = DEFAULT_PRECISION,
): Promise<string[]> {
  const layer = tinyLayer(kind, "opened words");
  const plan = layer.plan(6, 0, precision);
  const x = layer.rows(6, "one prompt"); // [6, width]
  const words = new Map<number, bigint[]>();
  for (let run = 0; run < MOST_RUNS; run++) {
    if (words.size > 0 && [...words.values()].every(({ length }) => length >= ENOUGH_WORDS)) break;
    const simulation = new Simulation(2, layer.factors, insecureMask);
    await simulation.run(plan, { x });
    for (const [index, opened] of openedWires(plan, simulation.opened)) {
      const list = words.get(index) ?? [];
      if (list.length < ENOUGH_WORDS) list.push(...opened);
      words.set(index, list);
    }
  }
  const found: string[] = [];
  for (const [index, list] of words) {
    const { out } = plan.instructions[index] as InstructionOf<"open">;
    const worst = Math.max(...chiSquares(list, (plan.values[out] as WireInfo).bits));
    if (worst > LIMIT) found.push(`open ${index}: ${worst.toFixed(0)}`);
  }
  return found;
}

for (const kind of ["llama", "gpt2"] as const)
  test(`${kind}: every opened wire is uniform, whatever the prompt is`, async () => {
    assert.deepEqual(await suspects(kind), []);
  });

test("llama, softmax by squares at the fine precision: every opened wire is uniform", async () => {
  assert.deepEqual(await suspects("llama", undefined, { ...FINE_PRECISION, softmax: "square", squarings: 2 }), []);
});

test("positive control: masks one bit short are found in every kind of wire", async () => {
  const found = await suspects("llama", (mask, bits) => ring.reduce(mask, mask, bits - 1));
  assert.ok(found.length >= 5, `expected several wires, got ${found.join("; ")}`);
});

test("positive control: values opened in the clear are found, and they alone", async () => {
  // The row scales of the two norms are the only wires of 32 bits or more.
  const found = await suspects("llama", (mask, bits) => {
    if (bits >= 32) mask.fill(0n);
  });
  assert.equal(found.length, 2, `expected the two row scales, got ${found.join("; ")}`);
});
