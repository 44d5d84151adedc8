/** Lies of a server, planted in honest answers: how many of each kind a check finds. */
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { AnswerCheck } from "../../../protocols/smpc/check/answer-check.ts";
import { SecretVectors } from "../../../protocols/smpc/check/secret-vectors.ts";
import { PublicMatrix } from "../../../protocols/smpc/factors/public-matrix.ts";
import { Generator } from "../../../shares/generator.ts";
import { ring } from "../../../shares/ring.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { lowBits, type Words } from "../../../shares/words.ts";

const [RING_BITS, SENT_BITS, MATRIX_BITS] = [33, 17, 16];
const DROPPED_BITS = RING_BITS - SENT_BITS;

export interface PlantedFault {
  readonly fault: string;
  /** Of the word that is off most, in units of the answer: the least over all trials. */
  readonly unitsOff: number;
  /** In the same units. */
  readonly window: number;
  readonly planted: number;
  readonly found: number;
}

/** Plants each fault `trials` times, each with a matrix's answers to fresh masks and with fresh secret vectors. */
export async function plantedFaults(
  { inputs, outputs, rows, trials }: { inputs: number; outputs: number; rows: number; trials: number },
  product: Float64Product,
): Promise<PlantedFault[]> {
  const generator = new Generator("planted faults", "matrix");
  const norm = Math.sqrt(inputs / 3);
  const integers = Int32Array.from({ length: inputs * outputs }, () =>
    Math.round(((2 * generator.nextUnit() - 1) / norm) * 2 ** MATRIX_BITS),
  );
  const matrix = new PublicMatrix(integers, inputs, outputs, product);
  const source = {
    inputs,
    outputs,
    read: (i: number, out: Int32Array) => out.set(integers.subarray(i * outputs, (i + 1) * outputs)),
  };
  const answersTo = async (x: Words): Promise<Words> => {
    const top: Words = new BigUint64Array(rows * outputs);
    await matrix.multiply(x, rows, RING_BITS, top);
    ring.shiftRight(top, top, RING_BITS, DROPPED_BITS, 0n);
    return top;
  };
  const add = (top: Words, at: number, off: bigint): void => void (top[at] = (top[at] + off) & lowBits(SENT_BITS));
  const faults: [string, (top: Words, old: Words, at: number) => void][] = [];
  for (let bit = 0; bit < SENT_BITS; bit++)
    faults.push([`bit ${bit}`, (top, _, at) => void (top[at] ^= 1n << BigInt(bit))]);
  faults.push(
    ["two rows swapped", (top) => top.set([...top.subarray(outputs, 2 * outputs), ...top.subarray(0, outputs)])],
    ["an answer to another mask", (top, old) => top.set(old)],
    [
      "two words off by what cancels",
      (top, _, at) => {
        const other = at % outputs === 0 ? at + 1 : at - 1;
        add(top, at, 5000n);
        add(top, other, -5000n);
      },
    ],
    ["all words of a row off by one", (top) => top.subarray(0, outputs).forEach((_, at) => add(top, at, 1n))],
    [
      "all words of a row off by 20, either way",
      (top) => {
        for (let at = 0; at < outputs; at++) add(top, at, at % 2 === 0 ? 20n : -20n);
      },
    ],
    ["a row of zeros", (top) => void top.fill(0n, 0, outputs)],
  );
  const table: PlantedFault[] = [];
  for (const [fault, plant] of faults) {
    let [found, unitsOff, window] = [0, Infinity, 0];
    for (let trial = 0; trial < trials; trial++) {
      const seed = new Uint8Array(new Uint32Array([trial, table.length]).buffer);
      const check = AnswerCheck.make([source], new SecretVectors(new StreamBook(seed).batch("check")), product);
      const [x, earlier] = ["mask", "earlier mask"].map((purpose) => {
        const words: Words = new BigUint64Array(rows * inputs);
        new Generator(seed, purpose).fillWords(words, RING_BITS);
        return words;
      });
      const [top, old] = [await answersTo(x), await answersTo(earlier)];
      const said = top.slice();
      plant(said, old, new Generator(seed, "place").nextUint32() % top.length);
      window = check.window(RING_BITS, DROPPED_BITS) / 2 ** DROPPED_BITS;
      unitsOff = Math.min(unitsOff, mostOff(top, said));
      const answers = { x, tops: [said], rows, ringBits: RING_BITS, droppedBits: DROPPED_BITS };
      if ((await check.faultyRow(answers)) !== null) found++;
    }
    table.push({ fault, unitsOff, window, planted: trials, found });
  }
  return table;
}

/** The largest distance of two words on the ring of the sent bits. */
function mostOff(a: Words, b: Words): number {
  let most = 0;
  for (let at = 0; at < a.length; at++) {
    const off = Number((a[at] - b[at]) & lowBits(SENT_BITS));
    most = Math.max(most, Math.min(off, 2 ** SENT_BITS - off));
  }
  return most;
}
