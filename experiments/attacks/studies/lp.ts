/**
 * Sizes of the linear program: hidden tokens of the first gap of CompNode 0, candidates, with HiGHS's time and what it recovers.
 * `npx tsx experiments/attacks/studies/lp.ts --c 2 --alpha 2 --prompts 3` prints NDJSON.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { seededChance } from "../metrics/bootstrap.ts";
import { LayerZeroDictionary, type DictionaryPage } from "../forward/layer-zero-dictionary.ts";
import { observationsOf } from "../lp/observations.ts";
import { solveProgram } from "../lp/solve.ts";
import { belowMaximum } from "../lp/sum-observation.ts";
import { TokenPrior } from "../lp/token-prior.ts";
import { misfit, tokenProgram } from "../lp/token-program.ts";
import type { RecordedView } from "../views/recorded-view.ts";
import { bootstrapInterval } from "../metrics/bootstrap.ts";
import { RecordingParties } from "../views/recording-parties.ts";

const { values: given } = parseArgs({
  options: {
    model: { type: "string" },
    texts: { type: "string", default: "experiments/attacks/texts/heldout.txt" },
    c: { type: "string", default: "2" },
    alpha: { type: "string", default: "2" },
    sums: { type: "string", default: "shards" },
    wire: { type: "string", default: "float32" },
    fit: { type: "string", default: "box" },
    integer: { type: "boolean", default: false },
    cut: { type: "boolean", default: false },
    candidates: { type: "string", default: "0" },
    equations: { type: "string", default: "32" },
    skip: { type: "string", default: "0" },
    prompts: { type: "string", default: "3" },
    seconds: { type: "string", default: "30" },
    noise: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
  },
});
const [c, alpha, seed] = [Number(given.c), Number(given.alpha), Number(given.seed)];
const sums = given.sums === "merged" ? "merged" : "shards";
const wire = given.wire === "float16" ? "float16" : "float32";
const parties = await RecordingParties.open({ model: given.model, alpha, c, smpcLayers: "none", wire }, () => {});
const { model, modelPath } = parties.opened;
const [tokenizer, engine] = [await openTokenizer(modelPath), await onnxEngine(model, { threads: 1 })];
const lines = (await readFile(given.texts, "utf8")).split("\n").filter((line) => line !== "");
const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: true });
const prior = new TokenPrior(engine, lines.slice(-20).map(encode));
const dictionary = new LayerZeroDictionary(engine, wire);
const cells = [];
for (const line of lines.slice(Number(given.skip), Number(given.skip) + Number(given.prompts))) {
  const ids = encode(line).slice(0, c * alpha + c);
  const session = await parties.record(ids);
  const real = session.view(["comp.0"]);
  const view = given.noise ? noisy(real, seed) : real;
  const known = { model, engine, description: session.description, schedule: session.schedule };
  const all = await observationsOf(view, known, sums);
  const rows = all.filter(({ position, keys }) => position >= c * alpha && (sums === "merged" || keys.includes(c)));
  const own = view.ids();
  const hiddenPositions = [...new Set(rows.flatMap(({ keys }) => keys))].filter((s) => !own.has(s));
  const pages = new Map<number, DictionaryPage>();
  for (const [t, id] of own) pages.set(t, await dictionary.page(t, [id]));
  const costs = await prior.continuation(ids.slice(0, c), c * (alpha - 1));
  const hidden = await Promise.all(
    hiddenPositions.map(async (s) => {
      const cost = costs[s - c];
      const most = Number(given.candidates) || engine.spec.vocabulary;
      const ranked = Array.from(cost.keys()).sort((a, b) => cost[a] - cost[b]);
      let page = await dictionary.page(s, ranked.slice(0, most));
      if (given.cut)
        page = await dictionary.page(
          s,
          belowMaximum(engine, rows, page, wire).map((at) => page.tokens[at]),
        );
      return { page, cost: page.tokens.map((v) => cost[v]), first: ranked[0] };
    }),
  );
  const { program, columns } = tokenProgram(engine, rows, hidden, pages, {
    integer: given.integer,
    fit: given.fit === "l1" ? "l1" : "box",
    equations: Number(given.equations) * hidden.length,
    seed,
    wire,
  });
  const solved = await solveProgram(program, { timeLimitS: Number(given.seconds) });
  const best = new Map<number, { token: number; value: number }>();
  columns.forEach(({ position, token }, at) => {
    const value = solved.values?.[at] ?? 0;
    if (value > (best.get(position)?.value ?? 0)) best.set(position, { token, value });
  });
  const trial = new Map(pages);
  for (const [s, { token }] of best) trial.set(s, await dictionary.page(s, [token]));
  const right = hiddenPositions.filter((s) => best.get(s)?.token === ids[s]).length;
  cells.push({
    hidden: hidden.length,
    rows: program.rows,
    columns: program.columns,
    nonzeros: program.values.length,
    covered: hidden.filter(({ page }) => page.tokens.includes(ids[page.position])).length / hidden.length,
    status: solved.status,
    seconds: solved.seconds,
    objective: solved.objective,
    bound: solved.bound,
    nodes: solved.nodes,
    memoryBytes: solved.memoryBytes,
    integral: solved.values === null ? null : [...best.values()].every(({ value }) => value > 0.999),
    misfit: best.size === hidden.length ? misfit(engine, rows, trial, wire) : null,
    accuracy: right / hidden.length,
    priorAccuracy: hidden.filter(({ page, first }) => first === ids[page.position]).length / hidden.length,
  });
}
const { model: _, texts: __, ...setting } = given;
const figures = {
  hidden: cells[0].hidden,
  statuses: cells.map(({ status }) => status),
  rows: Math.max(...cells.map(({ rows }) => rows)),
  columns: Math.max(...cells.map(({ columns }) => columns)),
  nonzeros: Math.max(...cells.map(({ nonzeros }) => nonzeros)),
  seconds: cells.map(({ seconds }) => Number(seconds.toFixed(2))),
  memoryBytes: Math.max(...cells.map(({ memoryBytes }) => memoryBytes)),
  integral: cells.filter(({ integral }) => integral === true).length,
  proven: cells.filter((cell) => cell.misfit !== null && cell.misfit <= 8).length,
  covered: bootstrapInterval(
    cells.map(({ covered }) => covered),
    seed,
  ),
  priorAccuracy: bootstrapInterval(
    cells.map(({ priorAccuracy }) => priorAccuracy),
    seed,
  ),
  objectives: cells.map(({ objective }) => objective),
  bounds: cells.map(({ bound }) => bound),
};
const interval = bootstrapInterval(
  cells.map(({ accuracy }) => accuracy),
  seed,
);
const record = { study: "lp", model: model.name, setting, figures, accuracy: interval, n: cells.length, seed };
process.stdout.write(`${JSON.stringify(record)}\n`);
await engine.close();
await parties.close();

/** Every word of partial results and merged outputs times a factor of chance in [0.5, 1.5): same sizes and signs, no prompt fits. */
function noisy(view: RecordedView, chanceSeed: number): RecordedView {
  const chance = seededChance(chanceSeed);
  return view.map(({ kind, data }) =>
    kind === "partial" || kind === "attended"
      ? Float32Array.from(data as Float32Array, (x) => x * (0.5 + chance()))
      : data,
  );
}
