/**
 * Study: which hidden tokens of its first gap does CompNode 0 get by a linear program, of what size and in what time?
 * Verdict rule, fixed before the run: (c, alpha)-sharding is broken at a layer where the interval of accuracy less the prior's lies above
 * 0 and noise gives no more than the prior. Layer 0: a proof (a misfit at rounding level) of a wrong token voids the run. With 20 prompts
 * and a deviation of 0.3 between prompts, differences of 0.19 are found (two-sided 5 %, power 80 %).
 *
 * Layer 0 is in the clear and its dictionary exact. At a later layer those below it run under SMPC, keys and values are class means of
 * public text, and the tolerances are what the calibration prompts deviate by; only the prior is told the node's own tokens.
 *
 * node --import tsx experiments/attacks/studies/lp.ts --settings 2x2 --sums merged --prompts 20 --out records/lp.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { compName } from "../../../protocols/cascade/party-name.ts";
import type { PublicKnowledge } from "../../lab/attack.ts";
import { noiseView } from "../../lab/noise-view.ts";
import type { DictionaryPage } from "../matching/layer-zero-dictionary.ts";
import { ClassMeanDictionary } from "../lp/class-mean-dictionary.ts";
import { observationsOf } from "../lp/observations.ts";
import { ownRows } from "../lp/own-rows.ts";
import { solveTokens, type TokenSolution } from "../lp/solve-tokens.ts";
import { belowMaximum, type Accuracy, type SumObservation } from "../lp/sum-observation.ts";
import { exactDictionary, type TokenDictionary } from "../lp/token-dictionary.ts";
import { TokenPrior } from "../lp/token-prior.ts";
import { misfit, PROVEN, residuals, type HiddenToken } from "../lp/token-program.ts";
import { bootstrapInterval, seededChance } from "../../lab/statistics/bootstrap.ts";
import { promptIds, trainingText } from "../run/texts.ts";
import { RecordedView, type ViewTensor } from "../../lab/views/recorded-view.ts";
import { CURVE_FILES } from "./curve-texts.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, sharding, studyFlags } from "./study-flags.ts";

export interface LpStudy {
  /** With `c`, `alpha` and `wire` of the study, and the layers below `layer` under SMPC. */
  readonly model: StudyModel;
  readonly c: number;
  readonly alpha: number;
  readonly layer: number;
  readonly sums: "shards" | "merged";
  readonly wire: "float32" | "float16";
  readonly fit: "box" | "l1";
  readonly integer: boolean;
  /** Only tokens whose logit isn't above a row's maximum (shards). */
  readonly cut: boolean;
  /** Candidates of a position, the prior's first; 0: the whole vocabulary. */
  readonly candidates: number;
  /** For each hidden token. */
  readonly equations: number;
  /** Factor on what slacks cost (TokenProgramOptions). */
  readonly evidence: number;
  /** Partial results and outputs are noise of the same size and signs. */
  readonly noise: boolean;
  /** Partial results and outputs are normal numbers (experiments/lab/noise-view.ts): an L1 fit can still read the sizes that `noise` leaves. */
  readonly normalNoise?: boolean;
  /** Limit of a solve. */
  readonly seconds: number;
  readonly prompts: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
  readonly seed: number;
  readonly report: (doing: string) => void;
}

/** Lines from the end of the texts: the prior's counts, and at later layers the deviations. */
const CALIBRATION = 20;
/** Tokens that a line is read to. */
const LINE_TOKENS = 100;
/** Public text that class means learn from. */
const TRAINING = { characters: 600_000, tokens: 60_000 };

/** What the first rows after the first gap saw. */
interface GapRows {
  readonly ids: readonly number[];
  readonly rows: readonly SumObservation[];
  /** Own keys. */
  readonly pages: ReadonlyMap<number, DictionaryPage>;
  /** Positions, ascending. */
  readonly hidden: readonly number[];
}

/** One prompt. */
interface Cell extends Pick<TokenSolution, "program" | "solved" | "integral"> {
  readonly hidden: number;
  /** Share of hidden tokens that are among the candidates. */
  readonly covered: number;
  /** Largest difference in tolerances; null: no solution, or tolerances that prove nothing. */
  readonly misfit: number | null;
  readonly accuracy: number;
  readonly priorAccuracy: number;
}

/** Sizes and times of the programs, what they recover and what the prior alone does. */
export async function studyLp(study: LpStudy): Promise<StudyResult> {
  const { model, c, alpha, wire, seed } = study;
  const { engine } = model;
  const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
  const wanted = { file, skip: study.skip, count: study.prompts, calibration: CALIBRATION, tokens: LINE_TOKENS };
  const { attacked, calibration } = await promptIds({ prompts: wanted }, ".", model.encode);
  const prior = new TokenPrior(engine, calibration);
  const dictionary = study.layer === 0 ? exactDictionary(engine, wire) : await estimatedDictionary(study);
  const see = (line: readonly number[], noisy: boolean): Promise<GapRows> =>
    gapRows(study, dictionary, line.slice(0, c * alpha + c), noisy);
  const accuracy = study.layer === 0 ? wire : await deviation(study, dictionary, calibration, see);
  const cells: Cell[] = [];
  for (const line of attacked) {
    const seen = await see(line, study.noise || study.normalNoise === true);
    const cell = await solveGap(study, seen, dictionary, prior, accuracy);
    cells.push(cell);
    study.report(`lp ${c}x${alpha}: prompt ${cells.length}, ${cell.solved.status}`);
  }
  return { study: "lp", setting: settingOf(study), figures: figuresOf(cells, accuracy, seed), n: cells.length, seed };
}

async function estimatedDictionary({ model, layer, seed }: LpStudy): Promise<ClassMeanDictionary> {
  const { characters, tokens } = TRAINING;
  const training = { file: CURVE_FILES.trainingFile, notSources: ["sotu"], characters };
  const documents = (await trainingText({ training }, ".")).documents.map(model.encode);
  return ClassMeanDictionary.train({ model: model.model, engine: model.engine, layer, documents, tokens, seed });
}

async function gapRows(
  { model, c, alpha, layer, sums, seed, normalNoise }: LpStudy,
  dictionary: TokenDictionary,
  ids: readonly number[],
  noisy: boolean,
): Promise<GapRows> {
  const session = await model.parties.record(ids);
  const real = session.view([compName(0)]);
  const view = noisy ? (normalNoise === true ? normalSums(real, seed) : noisySums(real, seed)) : real;
  const { description, schedule } = session;
  const knowledge: PublicKnowledge = { model: model.model, engine: model.engine, description, schedule };
  const own = await ownRows(view, knowledge, layer);
  const rows = observationsOf(view, knowledge, own, sums, layer)
    .filter(({ position, keys }) => position >= c * alpha && (sums === "merged" || keys.includes(c)))
    .map((seen) => dictionary.observation(seen));
  const pages = new Map([...own.pages].map(([t, page]) => [t, dictionary.seenPage(page)]));
  const keys = [...new Set(rows.flatMap((seen) => seen.keys))].sort((a, b) => a - b);
  return { ids, rows, pages, hidden: keys.filter((s) => !pages.has(s)) };
}

/** Mean differences of equations with the right tokens on calibration prompts. */
async function deviation(
  { model: { engine } }: LpStudy,
  dictionary: TokenDictionary,
  calibration: readonly (readonly number[])[],
  see: (line: readonly number[], noisy: boolean) => Promise<GapRows>,
): Promise<Accuracy> {
  const sizes = { total: [] as number[], coordinate: [] as number[] };
  for (const line of calibration) {
    const { ids, rows, pages, hidden } = await see(line, false);
    const right = new Map(pages);
    for (const s of hidden) right.set(s, await dictionary.page(s, [ids[s]]));
    for (const { isTotal, size } of residuals(engine, rows, right, { total: 1, coordinate: 1 }))
      sizes[isTotal ? "total" : "coordinate"].push(size);
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  // After a merge there are no equations of totals, so that their deviation is never asked for.
  return { total: sizes.total.length === 0 ? 1 : mean(sizes.total), coordinate: mean(sizes.coordinate) };
}

async function solveGap(
  study: LpStudy,
  { ids, rows, pages, hidden: positions }: GapRows,
  dictionary: TokenDictionary,
  prior: TokenPrior,
  accuracy: Accuracy,
): Promise<Cell> {
  const { model, c, alpha, wire, fit, integer, seed } = study;
  const { engine } = model;
  const costs = await prior.continuation(ids.slice(0, c), c * (alpha - 1));
  const hidden: HiddenToken[] = [];
  let [covered, priorRight] = [0, 0];
  for (const s of positions) {
    const cost = costs[s - c];
    const ranked = Array.from(cost.keys()).sort((a, b) => cost[a] - cost[b]);
    let page = await dictionary.page(s, ranked.slice(0, study.candidates || ranked.length));
    if (study.cut) {
      const kept = belowMaximum(engine, rows, page, wire).map((at) => page.tokens[at]);
      page = await dictionary.page(s, kept);
    }
    hidden.push({ page, cost: page.tokens.map((v) => cost[v]) });
    if (page.tokens.includes(ids[s])) covered++;
    if (ranked[0] === ids[s]) priorRight++;
  }
  const equations = study.equations * hidden.length;
  const options = { integer, fit, equations, seed, accuracy, evidence: study.evidence };
  const { program, solved, tokens, integral } = await solveTokens(engine, rows, hidden, pages, options, study.seconds);
  const trial = new Map(pages);
  for (const [s, token] of tokens) trial.set(s, await dictionary.page(s, [token]));
  const proves = typeof accuracy === "string" && tokens.size === hidden.length;
  return {
    program,
    solved,
    integral,
    hidden: hidden.length,
    covered: covered / hidden.length,
    misfit: proves ? misfit(engine, rows, trial, accuracy) : null,
    accuracy: positions.filter((s) => tokens.get(s) === ids[s]).length / hidden.length,
    priorAccuracy: priorRight / hidden.length,
  };
}

function figuresOf(cells: readonly Cell[], accuracy: Accuracy, seed: number): Record<string, unknown> {
  const most = (of: (cell: Cell) => number): number => Math.max(...cells.map(of));
  const over = (of: (cell: Cell) => number): unknown => bootstrapInterval(cells.map(of), seed);
  const statuses = cells.map(({ solved }) => solved.status);
  const proven = cells.filter((cell) => cell.misfit !== null && cell.misfit <= PROVEN);
  return {
    accuracy: over((cell) => cell.accuracy),
    priorAccuracy: over((cell) => cell.priorAccuracy),
    accuracyDifference: over((cell) => cell.accuracy - cell.priorAccuracy),
    covered: over((cell) => cell.covered),
    hidden: cells[0].hidden,
    rows: most(({ program }) => program.rows),
    columns: most(({ program }) => program.columns),
    nonzeros: most(({ program }) => program.values.length),
    seconds: over(({ solved }) => solved.seconds),
    secondsMost: most(({ solved }) => solved.seconds),
    memoryBytes: most(({ solved }) => solved.memoryBytes),
    statuses: Object.fromEntries(
      [...new Set(statuses)].map((status) => [status, statuses.filter((other) => other === status).length]),
    ),
    integral: cells.filter(({ integral }) => integral).length,
    ...(typeof accuracy === "string"
      ? { proven: proven.length, provenWrong: proven.filter((cell) => cell.accuracy < 1).length }
      : { deviationTotal: accuracy.total, deviationCoordinate: accuracy.coordinate }),
    objectives: cells.map(({ solved }) => solved.objective),
    bounds: cells.map(({ solved }) => solved.bound),
  };
}

const isSum = ({ kind }: Pick<ViewTensor, "kind">): boolean => kind === "partial" || kind === "attended";

/** Normal numbers in place of partial results and merged outputs; the party's own rows stay. */
function normalSums(view: RecordedView, seed: number): RecordedView {
  return RecordedView.union([view.filter((tensor) => !isSum(tensor)), noiseView(view.filter(isSum), seed)]);
}

/** Every word of partial results and merged outputs times a factor of chance in [0.5, 1.5): same sizes and signs, no prompt fits. */
function noisySums(view: RecordedView, seed: number): RecordedView {
  const chance = seededChance(seed);
  return view.map((tensor) =>
    isSum(tensor) ? Float32Array.from(tensor.data as Float32Array, (x) => x * (0.5 + chance())) : tensor.data,
  );
}

const settingOf = (study: LpStudy): StudyResult["setting"] => ({
  model: study.model.name,
  c: study.c,
  alpha: study.alpha,
  gap: study.c * (study.alpha - 1) + 1,
  layer: study.layer,
  sums: study.sums,
  wire: study.wire,
  fit: study.fit,
  integer: study.integer,
  cut: study.cut,
  candidates: study.candidates,
  equations: study.equations,
  ...(study.fit === "l1" ? { evidence: study.evidence } : {}),
  noise: study.noise,
  ...(study.normalNoise === true ? { normalNoise: true } : {}),
  seconds: study.seconds,
  ...(study.skip > 0 ? { skip: study.skip } : {}),
});

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      settings: listed(sharding, "2x2"),
      layer: z.int().min(0).default(0),
      sums: z.enum(["shards", "merged"]).default("shards"),
      wire: z.enum(["float32", "float16"]).default("float32"),
      fit: z.enum(["box", "l1"]).default("box"),
      integer: z.boolean().default(false),
      cut: z.boolean().default(false),
      candidates: z.int().min(0).default(0),
      equations: z.int().min(0).default(32),
      evidence: z.number().min(0).default(1),
      noise: z.boolean().default(false),
      normalNoise: z.boolean().default(false),
      seconds: z.int().min(0).default(30),
      prompts: z.int().min(0).default(20),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const { layer, wire } = values;
  for (const name of values.settings) {
    const [c, alpha] = name.split("x").map(Number);
    const smpcLayers = layer === 0 ? "none" : `first:${layer}`;
    const model = await StudyModel.open(values.model ?? null, { alpha, c, smpcLayers, wire });
    try {
      const study: LpStudy = {
        model,
        c,
        alpha,
        layer,
        sums: values.sums,
        wire,
        fit: values.fit,
        integer: values.integer,
        cut: values.cut,
        candidates: values.candidates,
        equations: values.equations,
        evidence: values.evidence,
        noise: values.noise,
        normalNoise: values.normalNoise,
        seconds: values.seconds,
        prompts: values.prompts,
        skip: values.skip,
        seed: values.seed,
        report: (doing) => void process.stderr.write(`${doing}\n`),
      };
      if (output.has({ study: "lp", setting: settingOf(study), seed: study.seed })) continue;
      const startedAt = performance.now();
      output.write(await studyLp(study), startedAt);
    } finally {
      await model.close();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
