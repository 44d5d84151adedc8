/**
 * What checking servers' answers costs beside what they check, and which planted faults it finds.
 *
 *   node --import tsx experiments/bench/smpc/answer-check.ts [rounds]
 *
 * A layer of SmolLM2's shapes with made-up integers, both servers and the client's words in this process: CPU time, without messages,
 * attention and norms.
 */
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { AnswerCheck, type RowsOfIntegers } from "../../../protocols/smpc/check/answer-check.ts";
import { SecretVectors } from "../../../protocols/smpc/check/secret-vectors.ts";
import { PublicMatrix } from "../../../protocols/smpc/factors/public-matrix.ts";
import { Generator } from "../../../shares/generator.ts";
import { ring } from "../../../shares/ring.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { median } from "../statistics.ts";
import { plantedFaults } from "./planted-faults.ts";

/** Inputs, outputs of the matrices that multiply the same rows, fractional bits of both factors, bits that each server sends. */
const PRODUCTS = [
  { inputs: 576, outputs: [576, 192, 192], fracBits: 16, sent: [17, 17] },
  { inputs: 576, outputs: [576], fracBits: 15, sent: [16, 16] },
  { inputs: 576, outputs: [1536, 1536], fracBits: 16, sent: [16, 17] },
  { inputs: 1536, outputs: [576], fracBits: 17, sent: [18, 18] },
];
const ROWS = [1, 8, 64, 128];

const [rounds = "9"] = process.argv.slice(2);
const product = await Float64Product.open(1);
const secrets = new SecretVectors(new StreamBook(new Uint8Array(16)).batch("check"));
const layer = PRODUCTS.map((shape) => {
  const integers = shape.outputs.map((outputs) => madeUp(shape.inputs, outputs, shape.fracBits));
  const from = cpuSeconds();
  const check = AnswerCheck.make(
    integers.map((each) => rowsOf(each, shape.inputs)),
    secrets,
    product,
  );
  const makeSeconds = cpuSeconds() - from;
  const matrices = integers.map((each, part) => new PublicMatrix(each, shape.inputs, shape.outputs[part], product));
  return { ...shape, check, matrices, makeSeconds };
});
const makeMs = 1000 * layer.reduce((sum, { makeSeconds }) => sum + makeSeconds, 0);
console.log(`making the checks of one layer from its integers: ${makeMs.toFixed(1)} ms of CPU`);
for (const rows of ROWS) {
  const times: { servers: number; client: number; checks: number }[] = [];
  for (let round = -2; round < Number(rounds); round++) {
    const time = await oneRound(rows);
    if (round >= 0) times.push(time);
  }
  const [servers, client, checks] = (["servers", "client", "checks"] as const).map(
    (part) => (1e6 * median(times.map((time) => time[part]))) / rows,
  );
  const share = (100 * checks) / (servers + client);
  console.log(
    `${rows} rows: us of CPU a row and layer: two servers ${servers.toFixed(0)}, client's words ${client.toFixed(0)}, both checks ${checks.toFixed(0)} (${share.toFixed(1)} %)`,
  );
}
const shape = { inputs: 576, outputs: 3072, rows: 4, trials: 40 };
console.log(`planted faults, ${shape.outputs} outputs, ${secrets.vectors} vectors:`);
for (const { fault, unitsOff, window, planted, found } of await plantedFaults(shape, product))
  console.log(`${fault} | ${unitsOff} | ${(2 * window + 0.5).toFixed(0)} | ${found} of ${planted}`);
await product.close();

/** CPU seconds of a layer's products at both servers, of the client's words for them, and of both checks. */
async function oneRound(rows: number): Promise<{ servers: number; client: number; checks: number }> {
  let [servers, client, checks] = [0, 0, 0];
  for (const [at, { inputs, outputs, fracBits, sent, check, matrices }] of layer.entries()) {
    const ringBits = 2 * fracBits + 1;
    const stream = (): Generator => new Generator("bench", `mask ${at}`);
    const words = (count: number): Words => new BigUint64Array(count);
    const timed = async <T>(work: () => T | Promise<T>): Promise<[T, number]> => {
      const from = cpuSeconds();
      const made = await work();
      return [made, cpuSeconds() - from];
    };
    const answer = (x: Words, bits: number): Promise<Uint8Array[]> =>
      Promise.all(
        matrices.map(async (matrix) => {
          const out = words(rows * matrix.outputs);
          await matrix.multiply(x, rows, ringBits, out);
          ring.shiftRight(out, out, ringBits, ringBits - bits, 0n);
          return ring.pack(out, bits);
        }),
      );
    const values = new Float64Array(rows * inputs).fill(1 / Math.sqrt(inputs));
    const [[mask, x, packed], hiding] = await timed(() => {
      const [r, x] = [words(rows * inputs), words(rows * inputs)];
      stream().fillWords(r, ringBits);
      ring.encode(x, values, fracBits);
      ring.subtract(x, x, r);
      return [r, x, ring.pack(x, ringBits)] as const;
    });
    const [first, firstSeconds] = await timed(() => {
      const received = words(rows * inputs);
      ring.unpack(received, packed, ringBits, 0);
      return answer(received, sent[0]);
    });
    const [ahead, aheadSeconds] = await timed(() => {
      const r = words(rows * inputs);
      stream().fillWords(r, ringBits);
      return answer(r, sent[1]);
    });
    const [tops, adding] = await timed(() => {
      const both = [first, ahead].map((parts, server) =>
        parts.map((bytes, part) => {
          const top = words(rows * outputs[part]);
          ring.unpack(top, bytes, sent[server], 0);
          return top;
        }),
      );
      both[0].forEach((top, part) => {
        const [sum, other] = [words(top.length), words(top.length)];
        ring.scale(sum, top, 1n << BigInt(ringBits - sent[0]), 0n);
        ring.scale(other, both[1][part], 1n << BigInt(ringBits - sent[1]), 0n);
        ring.add(sum, sum, other);
        ring.decode(new Float64Array(top.length), sum, ringBits, 2 * fracBits);
      });
      return both;
    });
    const [, checking] = await timed(async () => {
      for (const [server, words] of [x, mask].entries()) {
        const droppedBits = ringBits - sent[server];
        const faulty = await check.faultyRow({ x: words, tops: tops[server], rows, ringBits, droppedBits });
        if (faulty !== null) throw new Error(`bench: expected no fault, got one in row ${faulty}`);
      }
    });
    servers += firstSeconds + aheadSeconds;
    client += hiding + adding;
    checks += checking;
  }
  return { servers, client, checks };
}

/** Integers [inputs, outputs] whose columns have norms of about 2^fracBits. */
function madeUp(inputs: number, outputs: number, fracBits: number): Int32Array {
  const generator = new Generator("bench", `matrix ${inputs} ${outputs}`);
  const largest = 2 ** fracBits * Math.sqrt(3 / inputs);
  return Int32Array.from({ length: inputs * outputs }, () => Math.round((2 * generator.nextUnit() - 1) * largest));
}

function rowsOf(integers: Int32Array, inputs: number): RowsOfIntegers {
  const outputs = integers.length / inputs;
  return { inputs, outputs, read: (i, out) => out.set(integers.subarray(i * outputs, (i + 1) * outputs)) };
}

/** CPU seconds of this process, user and system. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
