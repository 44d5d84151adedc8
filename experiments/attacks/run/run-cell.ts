/** One cell: prompts run as the setting says, their views attacked, beside all controls. */
import { cpus } from "node:os";
import type { Attack, Preparation, PreparedAttack, PublicKnowledge, Recovery, TrainingText } from "../attack.ts";
import { noiseView } from "../controls/noise-view.ts";
import { bootstrapInterval, type Interval } from "../metrics/bootstrap.ts";
import { score, type Scores, type Seen } from "../metrics/score.ts";
import { gapAndCluster } from "../../../protocols/fusion/ledger.ts";
import { RecordingParties, type RecordedSession } from "../views/recording-parties.ts";
import type { RecordedView } from "../views/recorded-view.ts";
import { METRICS, configHash, type AttackConfig, type Metric } from "./attack-config.ts";
import type { CellRecord } from "./cell-record.ts";
import { codeVersion } from "./code-version.ts";
import type { PromptIds } from "./texts.ts";

export interface Cell {
  readonly setting: Readonly<Record<string, unknown>>;
  readonly layer: number;
  readonly coalition: readonly string[];
}

/** What all cells of an experiment share. */
export interface Experiment {
  readonly config: AttackConfig;
  readonly attack: Attack<unknown>;
  readonly options: unknown;
  readonly encode: (text: string) => number[];
  readonly prompts: PromptIds;
  readonly training: TrainingText;
  readonly report: (doing: string) => void;
}

/** The cells of a config's grid: every setting with every layer and coalition. */
export function cellsOf({ grid }: AttackConfig): Cell[] {
  return grid.settings.flatMap((setting) =>
    grid.layers.flatMap((layer) => grid.coalitions.map((coalition) => ({ setting, layer, coalition }))),
  );
}

/** Prompts of the positive and negative control. */
const CONTROL_PROMPTS = 4;

/** Runs one cell. Throws Error where the setting can't be run; a control that fails makes the record void. */
export async function runCell(experiment: Experiment, cell: Cell): Promise<CellRecord> {
  const { config, report } = experiment;
  const { verdict } = config;
  const startedAt = new Date();
  const attacked = await attackSetting(experiment, cell, experiment.prompts.attacked, { noise: true, ids: true });
  report("the positive control");
  const { positive, negative } = config.controls;
  const control = await attackSetting(
    experiment,
    { setting: positive.setting, layer: positive.layer ?? cell.layer, coalition: positive.coalition },
    experiment.prompts.attacked.slice(0, CONTROL_PROMPTS),
    { noise: false, ids: !positive.withoutIds },
  );
  const positiveMean = mean(control.scores, positive.metric);
  const [noiseMean, noisePrior] = [
    mean(attacked.noise, verdict.metric),
    mean(attacked.prior.slice(0, CONTROL_PROMPTS), verdict.metric),
  ];
  const controls = {
    positive: {
      metric: positive.metric,
      mean: positiveMean,
      atLeast: positive.atLeast,
      passed: positiveMean >= positive.atLeast,
    },
    negative: {
      mean: noiseMean,
      prior: noisePrior,
      ...negative,
      passed: noiseMean <= noisePrior + negative.atMostAbovePrior,
    },
  };
  const leak = differences(attacked.scores, attacked.prior, verdict.metric, config.seed);
  const failed = Object.entries(controls).filter(([, { passed }]) => !passed);
  const voided =
    failed.length === 0
      ? null
      : failed.map(([name, control]) => `${name} control: got ${control.mean.toFixed(3)}`).join("; ");
  return {
    experiment: config.id,
    configHash: configHash(config),
    attack: config.attack.name,
    model: attacked.model,
    cell: { setting: cell.setting, layer: cell.layer, coalition: [...cell.coalition] },
    seed: config.seed,
    prompts: attacked.scores.length,
    tokens: config.prompts.tokens,
    exposure: attacked.exposure,
    scores: summary(attacked.scores, config.seed),
    prior: summary(attacked.prior, config.seed),
    leak,
    certified: average(attacked.scores.map(({ certified }) => certified)),
    certifiedWrong: attacked.scores.reduce((sum, { certifiedWrong }) => sum + certifiedWrong, 0),
    forwardPasses: average(attacked.recoveries.map(({ forwardPasses }) => forwardPasses)),
    figures: meanFigures(attacked.recoveries),
    controls,
    verdict: voided !== null ? "void" : verdictOf(mean(attacked.scores, verdict.metric), leak, verdict),
    void: voided,
    run: {
      ...codeVersion(),
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      attackSeconds: average(attacked.seconds),
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
    },
  };
}

/** The rule that stands in every config: a break by its mean, a leak by the interval of attack less prior. */
export function verdictOf(
  reached: number,
  leak: Interval,
  { breaks, minimumDetectableEffect }: AttackConfig["verdict"],
): "breaks" | "leaks" | "no leak found" | "undecided" {
  if (reached >= breaks && leak.low > 0) return "breaks";
  if (leak.low > 0) return "leaks";
  return leak.high < minimumDetectableEffect ? "no leak found" : "undecided";
}

interface Attacked {
  readonly model: string;
  readonly scores: Scores[];
  readonly prior: Scores[];
  /** On noise, of the first prompts. */
  readonly noise: Scores[];
  readonly recoveries: Recovery[];
  readonly seconds: number[];
  readonly exposure: CellRecord["exposure"];
}

async function attackSetting(
  { config, attack, options, encode, training, prompts, report }: Experiment,
  { setting, layer, coalition }: Cell,
  attacked: readonly (readonly number[])[],
  { noise, ids: withIds }: { readonly noise: boolean; readonly ids: boolean },
): Promise<Attacked> {
  const model = config.model === undefined ? {} : { model: config.model };
  const parties = await RecordingParties.open({ ...model, ...setting, maxTokens: 1 }, report);
  const withheld = (view: RecordedView): RecordedView => (withIds ? view : view.filter(({ kind }) => kind !== "ids"));
  let prepared: PreparedAttack | undefined;
  try {
    const { opened } = parties;
    const calibration = [];
    for (const ids of prompts.calibration)
      calibration.push({ ids, view: withheld((await parties.record(ids)).view(coalition)) });
    report(`${attack.name}: preparing`);
    const preparation: Preparation = {
      model: opened.model,
      engine: opened.head!,
      encode,
      training,
      layer,
      calibration,
      seed: config.seed,
      report,
    };
    prepared = await attack.prepare(preparation, options);
    const result: Attacked = {
      model: opened.model.name,
      scores: [],
      prior: [],
      noise: [],
      recoveries: [],
      seconds: [],
      exposure: { seen: 0, minGap: null, maxCluster: 0 },
    };
    let exposure = result.exposure;
    for (const [at, ids] of attacked.entries()) {
      report(`${attack.name}: prompt ${at + 1} of ${attacked.length}, ${JSON.stringify(setting)}`);
      const session = await parties.record(ids);
      const view = withheld(session.view(coalition));
      const seen = seenBy(session, coalition, view);
      exposure = {
        seen: seen.positions.size / ids.length,
        ...gapAndCluster([...seen.positions].sort((a, b) => a - b)),
      };
      const known: PublicKnowledge = {
        model: opened.model,
        engine: opened.head!,
        description: session.description,
        schedule: session.schedule,
      };
      const budget = { forwardPasses: config.forwardPasses, seed: config.seed + at };
      const startedAt = performance.now();
      const recovery = await prepared.recover(view, known, budget);
      result.seconds.push((performance.now() - startedAt) / 1000);
      result.recoveries.push(recovery);
      result.scores.push(score(ids, seen, recovery));
      result.prior.push(score(ids, seen, await prepared.prior(view, known, budget)));
      if (noise && at < CONTROL_PROMPTS)
        result.noise.push(score(ids, seen, await prepared.recover(noiseView(view, budget.seed), known, budget)));
    }
    return { ...result, exposure };
  } finally {
    await prepared?.close();
    await parties.close();
  }
}

/** What the ledgers of a coalition say that it saw directly. */
function seenBy({ reports }: RecordedSession, coalition: readonly string[], view: RecordedView): Seen {
  const positions = reports
    .filter(({ party }) => coalition.includes(party))
    .flatMap(({ exposure }) => exposure.positions);
  return { positions: new Set(positions), ids: view.ids() };
}

const values = (scores: readonly Scores[], metric: Metric): number[] =>
  scores.map((each) => each[metric]).filter((value) => value !== null);

const average = (numbers: readonly number[]): number =>
  numbers.length === 0 ? 0 : numbers.reduce((a, b) => a + b, 0) / numbers.length;

const mean = (scores: readonly Scores[], metric: Metric): number => average(values(scores, metric));

function summary(scores: readonly Scores[], seed: number): Partial<Record<Metric, Interval>> {
  const entries = METRICS.map((metric) => [metric, values(scores, metric)] as const).filter(
    ([, list]) => list.length > 0,
  );
  return Object.fromEntries(entries.map(([metric, list]) => [metric, bootstrapInterval(list, seed)]));
}

function differences(scores: readonly Scores[], prior: readonly Scores[], metric: Metric, seed: number): Interval {
  const paired = scores
    .map((each, at) => [each[metric], prior[at][metric]] as const)
    .filter((pair): pair is readonly [number, number] => pair[0] !== null && pair[1] !== null);
  if (paired.length === 0) return { mean: 0, low: 0, high: 0, n: 0 };
  return bootstrapInterval(
    paired.map(([a, b]) => a - b),
    seed,
  );
}

function meanFigures(recoveries: readonly Recovery[]): Record<string, number> {
  const names = new Set(recoveries.flatMap(({ figures }) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].map((name) => [
      name,
      average(recoveries.map(({ figures }) => figures[name]).filter((x) => x !== undefined)),
    ]),
  );
}
