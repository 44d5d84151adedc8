/**
 * Do the words that the last party is dealt tell it anything of the masks that they are made from? Marginals, array by array: the explicit
 * words of many dealings are counted in classes by their top and by their low bits.
 *
 * Verdict rule: a chi-square above LIMIT (15 degrees of freedom: one in 10^7 uniform samples) fails; there are about 60 arrays and two
 * counts. Positive control: words dealt as they are, which is what it is when the other parties' shares are zeros.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { dealtLayout } from "../../../protocols/smpc/plan/dealt-layout.ts";
import { dealAll } from "../../../protocols/smpc/run/dealer-run.ts";
import { ring } from "../../../shares/ring.ts";
import { StreamBook, type BatchStreams } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { tinyLayer } from "./tiny-plan.ts";

const LIMIT = 65;
const ENOUGH_WORDS = 1500;
/** An array of few words is counted over at most so many dealings. */
const MOST_DEALINGS = 120;
const ROWS = 6;

/** Arrays of a tiny layer that are not uniform, and how many there are. */
async function suspects(
  kind: "llama" | "gpt2",
  streamsOf = (seed: Uint8Array): BatchStreams => new StreamBook(seed).batch("b"),
): Promise<{ found: string[]; arrays: number }> {
  const plan = tinyLayer(kind, "dealt words").plan(ROWS, 0);
  const words = new Map<string, { bits: number; list: bigint[] }>();
  const isEnough = (): boolean =>
    words.size > 0 && [...words.values()].every(({ list }) => list.length >= ENOUGH_WORDS);
  for (let dealing = 0; dealing < MOST_DEALINGS && !isEnough(); dealing++) {
    const seeds = [randomBytes(32), randomBytes(32)];
    const explicit = dealAll(plan, { streams: seeds.map(streamsOf), kept: new Map() });
    for (const [index, places] of dealtLayout(plan).places.entries())
      for (const { name, bits, count, byteOffset, byteLength } of places.values()) {
        const array: Words = new BigUint64Array(count);
        ring.unpack(array, explicit.subarray(byteOffset, byteOffset + byteLength), bits, 0);
        const id = `${plan.instructions[index].gate} ${index}: ${name}`;
        const { list } = words.get(id) ?? words.set(id, { bits, list: [] }).get(id)!;
        if (list.length < ENOUGH_WORDS) list.push(...array);
      }
  }
  const found = [...words].filter(([, { bits, list }]) => Math.max(...chiSquares(list, bits)) > LIMIT);
  return { found: found.map(([id]) => id), arrays: words.size };
}

/** Chi-square of the top and of the low bits of some words: four, or all that they have. */
function chiSquares(words: readonly bigint[], bits: number): number[] {
  const classBits = Math.min(4, bits);
  return [BigInt(bits - classBits), 0n].map((shift) => {
    const counts = Array.from({ length: 2 ** classBits }, () => 0);
    for (const word of words) counts[Number((word >> shift) & BigInt(counts.length - 1))]++;
    const expected = words.length / counts.length;
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  });
}

for (const kind of ["llama", "gpt2"] as const)
  test(`${kind}: the words that the last party is dealt are uniform`, async () => {
    const { found, arrays } = await suspects(kind);
    assert.ok(arrays > 20, `expected dozens of arrays, got ${arrays}`);
    assert.deepEqual(found, []);
  });

test("positive control: words dealt in the clear are found in most arrays", async () => {
  const { found, arrays } = await suspects("llama", (seed) => {
    const streams = new StreamBook(seed).batch("b");
    return {
      stream: (purpose) =>
        purpose.endsWith("/mask")
          ? streams.stream(purpose)
          : {
              fillWords: () => assert.fail("dealt words are drawn packed"),
              packedWords: (count, bits) => ({
                bytes: new Uint8Array(Math.ceil((count * bits) / 8) + 8),
                bitOffset: 0,
              }),
            },
    };
  });
  assert.ok(found.length > arrays / 2, `expected most of ${arrays} arrays, got ${found.join(", ")}`);
});
