/**
 * Compares three ways to compute on ring words: BigInt loops, 32-bit halves in JavaScript, WebAssembly on copied tiles.
 * `node --import tsx experiments/bench/ring-kernels.ts` prints a table of nanoseconds a word, medians of several runs.
 * Packing has no version on halves.
 */
import { Generator } from "../../shares/generator.ts";
import { ring } from "../../shares/ring.ts";
import { ringHalves } from "../../shares/ring-halves.ts";
import { ringReference, type RingKernels } from "../../shares/ring-reference.ts";
import type { Words } from "../../shares/words.ts";

const RUNS = 15;
/** Words of a row of BERT-base, of one of its arrays of 128 rows, and of what its GELU reads. */
const LENGTHS = [16, 768, 98_304, 393_216];
const WAYS: readonly (readonly [name: string, kernels: RingKernels])[] = [
  ["BigInt", ringReference],
  ["32-bit halves", { ...ring, ...ringHalves }],
  ["WebAssembly", ring],
];
const BITS = 41;

interface Operands {
  readonly out: Words;
  readonly a: Words;
  readonly b: Words;
  readonly packed: Uint8Array;
}

const KERNELS: readonly (readonly [name: string, call: (kernels: RingKernels, operands: Operands) => void])[] = [
  ["add", (k, { out, a, b }) => k.add(out, a, b)],
  ["multiply", (k, { out, a, b }) => k.multiply(out, a, b)],
  ["shiftRight", (k, { out, a }) => k.shiftRight(out, a, BITS, 13, 1n)],
  ["multiply and add (addScaled)", (k, { out, a, b }) => k.addScaled(out, a, b, 0x1234_5678_9abcn)],
  ["sum of segments of 16", (k, { out, a }) => k.sumSegments(out.subarray(0, a.length / 16), a, 16)],
  [`pack ${BITS} bits`, (k, { a }) => void k.pack(a, BITS)],
  [`unpack ${BITS} bits`, (k, { out, packed }) => k.unpack(out, packed, BITS, 0)],
];

/** Median nanoseconds a word of `call`; the slow ones are run less often. */
function nanosecondsAWord(call: () => void, length: number): number {
  const times: number[] = [];
  const repeats = Math.max(1, Math.round(20_000 / length));
  call();
  const budgetEndMs = performance.now() + 1000;
  for (let run = 0; run < RUNS && performance.now() < budgetEndMs; run++) {
    const startMs = performance.now();
    for (let i = 0; i < repeats; i++) call();
    times.push(((performance.now() - startMs) * 1e6) / repeats / length);
  }
  times.sort((x, y) => x - y);
  return times[Math.floor(times.length / 2)];
}

for (const length of LENGTHS) {
  const random = new Generator("ring kernels", `${length}`);
  const [out, a, b] = [0, 1, 2].map((): Words => new BigUint64Array(length));
  random.fillWords(a, 64);
  random.fillWords(b, 64);
  const operands = { out, a, b, packed: ring.pack(a, BITS) };
  process.stdout.write(`\n| ${length} words, ns each | ${WAYS.map(([name]) => name).join(" | ")} |\n`);
  process.stdout.write(`|---|${WAYS.map(() => "---|").join("")}\n`);
  for (const [name, call] of KERNELS) {
    const cells = WAYS.map(([, kernels]) => nanosecondsAWord(() => call(kernels, operands), length).toFixed(2));
    process.stdout.write(`| ${name} | ${cells.join(" | ")} |\n`);
  }
}
