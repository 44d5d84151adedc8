/**
 * Times each stage and the unsharded model on one thread: CPU time of this process, the least of the repeats.
 *
 *     node --import tsx experiments/bench/stage-times.ts MODEL [repeats]
 *
 * Prints one JSON line. Run it beside peer-torch.py, which takes the same measures.
 */
import { openModel } from "../../layers/model.ts";
import { onnxEngine } from "../../layers/onnx/engine.ts";
import { monolithicModel } from "../../layers/onnx/monolithic-model.ts";

const [path, repeats = "8"] = process.argv.slice(2);
if (path === undefined) throw new Error("stage-times: expected a model folder or .gguf file, got nothing");

const PROMPT_TOKENS = 128;
const DECODE_STEPS = 32;

async function leastCpuMs(work: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < Number(repeats); i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));
const model = await openModel(path);
const { layers, vocabulary, width } = model.spec;
const ids = Array.from({ length: PROMPT_TOKENS }, (_, i) => (i + 100) % vocabulary);

const engine = await onnxEngine(model, { threads: 1 });
const stagesUs: Record<string, Record<string, number>> = {};
for (const rows of [1, 16, PROMPT_TOKENS]) {
  const [some, positions] = [ids.slice(0, rows), Array.from({ length: rows }, (_, i) => i)];
  const x = await engine.embed(some, positions);
  const perLayer = async (stage: (layer: number) => Promise<unknown>): Promise<number> => {
    const all = await leastCpuMs(async () => {
      for (let layer = 0; layer < layers; layer++) await stage(layer);
    });
    return round((all / layers) * 1000, 0);
  };
  const { q, k, v } = await engine.pre(0, x, positions);
  const last = { data: x.data.subarray(0, width), shape: [1, width] };
  stagesUs[`${rows} rows`] = {
    embed: round((await leastCpuMs(() => engine.embed(some, positions))) * 1000, 0),
    pre: await perLayer((layer) => engine.pre(layer, x, positions)),
    attend: await perLayer((layer) => engine.attend(layer, q, positions, k, v, positions)),
    post: await perLayer((layer) => engine.post(layer, x, q)),
    "head of one row": round((await leastCpuMs(() => engine.head(last))) * 1000, 0),
  };
}
await engine.close();

const whole = await monolithicModel(model, { threads: 1 });
const prefillAll = await leastCpuMs(() => whole.begin().extend(ids, { allLogits: true }));
const prefillLast = await leastCpuMs(() => whole.begin().extend(ids));
const decodes: number[] = [];
for (let i = 0; i < Number(repeats); i++) {
  const sequence = whole.begin();
  await sequence.extend(ids);
  const before = process.cpuUsage();
  for (let step = 0; step < DECODE_STEPS; step++) await sequence.extend([ids[step]]);
  const { user, system } = process.cpuUsage(before);
  decodes.push((user + system) / 1e6 / DECODE_STEPS);
}
await whole.close();
await model.close();
console.log(
  JSON.stringify({
    tokens: PROMPT_TOKENS,
    prefillAllLogitsCpuSeconds: round(prefillAll / 1000, 4),
    prefillLastLogitsCpuSeconds: round(prefillLast / 1000, 4),
    decodeCpuSecondsPerToken: round(Math.min(...decodes), 4),
    stageCpuMicroseconds: stagesUs,
  }),
);
