/** One cell: prompts run as the setting says, their views attacked, beside all controls. */
import { cpus } from "node:os";
import { bootstrapInterval, type Interval } from "../../lab/statistics/bootstrap.ts";
import type { Scores } from "../../lab/score.ts";
import type { Recovery } from "../../lab/attack.ts";
import { configHash, type AttackConfig } from "./attack-config.ts";
import { METRICS, type Metric } from "../../lab/metric.ts";
import { attackSetting, CONTROL_PROMPTS, type Cell, type Experiment } from "./attack-setting.ts";
import type { CellRecord } from "./cell-record.ts";
import { codeVersion } from "../../lab/code-version.ts";
import type { PositiveControl } from "./positive-control.ts";
import type { SettingSessions } from "./setting-sessions.ts";

/** The cells of a config's grid: every setting with every layer and coalition. */
export function cellsOf({ grid }: AttackConfig): Cell[] {
  return grid.settings.flatMap((setting) =>
    grid.layers.flatMap((layer) => grid.coalitions.map((coalition) => ({ setting, layer, coalition }))),
  );
}

/**
 * Runs one cell on the sessions of its setting. Throws Error for a coalition that took no part; a control that fails makes the record
 * void.
 */
export async function runCell(
  experiment: Experiment,
  sessions: SettingSessions,
  control: PositiveControl,
  cell: Cell,
): Promise<CellRecord> {
  const { config, report } = experiment;
  const { verdict } = config;
  const startedAt = new Date();
  const count = config.prompts.count;
  const attacked = await attackSetting(experiment, sessions, cell, count, { noise: true, ids: true });
  report("the positive control");
  const { positive, negative } = config.controls;
  const positiveMean = mean(await control.at(cell.layer), positive.metric);
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
