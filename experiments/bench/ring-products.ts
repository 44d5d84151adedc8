/**
 * Speed of the products that a party of the SMPC engine computes, on one thread: shares by public matrices of BERT-base, products of
 * attention heads, series over dealt words. `node --import tsx experiments/bench/ring-products.ts` prints medians of CPU time.
 */
import { Float64Product } from "../../layers/onnx/float64-product.ts";
import { PublicMatrix } from "../../protocols/smpc/factors/public-matrix.ts";
import { Generator } from "../../shares/generator.ts";
import { packedSeriesSums } from "../../shares/packed-series.ts";
import { multiplyMatrices, transposed, wholeBlock } from "../../shares/secret-product.ts";
import type { Words } from "../../shares/words.ts";

const RUNS = 9;
const random = new Generator("ring products", "words");

function uniform(length: number): Words {
  const words: Words = new BigUint64Array(length);
  random.fillWords(words, 64);
  return words;
}

/** Median milliseconds of CPU (all threads), because other work may run on the machine; short runs are repeated. */
async function medianMs(run: () => void | Promise<void>): Promise<number> {
  const startMs = performance.now();
  await run();
  const repeats = Math.ceil(20 / (performance.now() - startMs));
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const before = process.cpuUsage();
    for (let repeat = 0; repeat < repeats; repeat++) await run();
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000 / repeats);
  }
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)];
}

function report(what: string, ms: number, multiplyAdds: number): void {
  process.stdout.write(`| ${what} | ${ms.toFixed(2)} | ${(multiplyAdds / ms / 1e6).toFixed(2)} |\n`);
}

process.stdout.write("| product | CPU ms | G multiply-adds a second |\n|---|---|---|\n");
const product = await Float64Product.open(1);
for (const rows of [128, 1])
  for (const [inputs, outputs] of [
    [768, 768],
    [768, 3072],
    [3072, 768],
  ]) {
    // About normal, the largest near 2^19, as weights of 16 to 17 significant bits are.
    const draws = new Generator("ring products", "weights");
    const normal = (): number => [1, 2, 3, 4].reduce((sum) => sum + draws.nextUnit() - 0.5, 0);
    const integers = Int32Array.from({ length: inputs * outputs }, () => Math.round(normal() * 2 ** 18));
    const matrix = new PublicMatrix(integers, inputs, outputs, product);
    const [x, out] = [uniform(rows * inputs), uniform(rows * outputs)];
    for (const ringBits of [41, 48, 56]) {
      const ms = await medianMs(() => matrix.multiply(x, rows, ringBits, out));
      report(`[${rows}, ${inputs}] by public [${inputs}, ${outputs}] mod 2^${ringBits}`, ms, rows * inputs * outputs);
    }
  }
await product.close();

for (const bits of [26, 50]) {
  const [q, k, scores] = [uniform(128 * 64), uniform(128 * 64), uniform(128 * 128)];
  const [a, b, out] = [wholeBlock(q, 64), transposed(wholeBlock(k, 64)), wholeBlock(scores, 128)];
  const shape = { rows: 128, inner: 64, columns: 128, bits, accumulate: 0 } as const;
  const ms = await medianMs(() => multiplyMatrices({ a, b, out, ...shape }));
  report(`[128, 64] by secret [64, 128] mod 2^${bits}`, ms, 128 * 64 * 128);
}

const ELEMENTS = 98_304;
const [WORD_BITS, TABLE_LENGTH] = [34, 2 ** 16];
const harmonics = Int32Array.from({ length: 16 }, (_, j) => 2 * j + 1);
const table = Int32Array.from({ length: TABLE_LENGTH }, (_, i) =>
  Math.round(2 ** 13 * Math.cos((2 * Math.PI * i) / TABLE_LENGTH)),
);
const dealt = random.packedWords(ELEMENTS * 2 * harmonics.length, WORD_BITS);
const [masked, sums] = [uniform(ELEMENTS), uniform(ELEMENTS)];
const seriesMs = await medianMs(() => packedSeriesSums(sums, masked, dealt, WORD_BITS, table, harmonics));
report(`series of 16 harmonics, ${ELEMENTS} elements, words of ${WORD_BITS} bits`, seriesMs, ELEMENTS * 32);
