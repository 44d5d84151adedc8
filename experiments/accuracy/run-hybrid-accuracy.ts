/**
 * How far layers under SMPC move a model from what it computes in the clear, through real sessions:
 *
 *     npx tsx experiments/accuracy/run-hybrid-accuracy.ts --model MODEL --golden FILE --prompts FILE --layers first:1/first:2
 *
 * --measure rows (all secret rows of each text: errors, and KL of the next token's distribution) or greedy (--steps tokens after each
 * text, and KL of each until the two part). --placement takes what `weir run --placement` takes, several divided by "/", --layers what
 * --smpc-layers takes; --precision likewise. --chat puts --prompts (any number of files) through the chat template, --public-prefix as in
 * `weir run`. Prints a JSON line a text and one a setting.
 */
import { parseArgs } from "node:util";
import { placementText, runConfig } from "../../protocols/fusion/config/run-config.ts";
import { PRECISIONS, type PrecisionName } from "../../protocols/smpc/lowering/precision.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import { accuracyTexts, type AccuracyText } from "./accuracy-texts.ts";
import { distributionDifference, type DistributionDifference } from "./distribution-difference.ts";
import { greedyDifference, type GreedyDifference } from "./greedy-difference.ts";
import { HybridParties, type HybridSetting, type SessionFigures } from "./hybrid-parties.ts";
import { joinedRows } from "./joined-rows.ts";
import { PlainReadings } from "./plain-readings.ts";
import { rowErrors, type RowErrors } from "./row-errors.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: DEFAULT_MODEL },
    golden: { type: "string" },
    prompts: { type: "string", multiple: true },
    chat: { type: "boolean", default: false },
    "public-prefix": { type: "string" },
    most: { type: "string", default: "1000" },
    layers: { type: "string", default: "first:1" },
    placement: { type: "string" },
    precision: { type: "string", default: "fine" },
    measure: { type: "string", default: "rows" },
    steps: { type: "string", default: "64" },
    alpha: { type: "string", default: "4" },
    parties: { type: "string", default: "2" },
    dealer: { type: "string", default: "client" },
    place: { type: "string", default: "memory" },
  },
});

const print = (record: object): void => {
  process.stdout.write(
    `${JSON.stringify(record, (_key, value: unknown) =>
      typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
    )}\n`,
  );
};
const report = (doing: string): void => void process.stderr.write(`${doing}\n`);

const config = runConfig.parse({
  model: values.model,
  alpha: Number(values.alpha),
  parties: Number(values.parties),
  dealer: values.dealer,
  place: values.place,
});
const placements =
  values.placement?.split("/") ?? values.layers.split("/").map((smpcLayers) => placementText({ smpcLayers }));
const settings = values.precision.split("/").flatMap((name): HybridSetting[] => {
  if (!Object.hasOwn(PRECISIONS, name))
    throw new Error(`precision: expected ${Object.keys(PRECISIONS).join(" or ")}, got ${name}`);
  return placements.map((placement) => ({ placement, precision: name as PrecisionName }));
});

const texts = await accuracyTexts(values.model, {
  ...values,
  most: Number(values.most),
  publicPrefix: values["public-prefix"],
});
const parties = await HybridParties.open(config, settings, report);
const { model } = parties.opened;
const plain = new PlainReadings(model);
try {
  for (const setting of settings) {
    const lines = [];
    for (const text of texts) {
      const line = values.measure === "greedy" ? await greedyLine(setting, text) : await rowsLine(setting, text);
      print({ text: text.name, tokens: text.ids.length, publicPrefix: text.prefixLength, ...setting, ...line });
      lines.push(line);
    }
    print({ model: model.name, ...setting, parties: config.parties, alpha: config.alpha, ...summary(lines) });
  }
} finally {
  await plain.close();
  await parties.close();
}

interface Line {
  readonly figures: SessionFigures;
  /** Secret rows that went through the layers. */
  readonly rowsComputed: number;
  readonly errors?: RowErrors;
  readonly distribution?: DistributionDifference | null;
  readonly greedy?: GreedyDifference;
  readonly asGolden?: boolean | null;
}

async function rowsLine(setting: HybridSetting, text: AccuracyText): Promise<Line> {
  const { rows, logits, ...figures } = await parties.allRows(setting, text);
  const expected = await plain.rows(text);
  const secret = text.ids.length - text.prefixLength;
  const distribution =
    logits === null || expected.logits === null
      ? null
      : distributionDifference(expected.logits.slice(-logits.data.length), logits.data, secret);
  const expectedRows = Array.prototype.slice.call(expected.rows, -rows.data.length) as number[];
  return { figures, rowsComputed: secret, errors: rowErrors(rows.data, expectedRows), distribution };
}

async function greedyLine(setting: HybridSetting, text: AccuracyText): Promise<Line> {
  const steps = Number(values.steps);
  const stops = new Set(model.spec.stopTokens);
  const { tokens, logits, ...figures } = await parties.greedy(setting, text, steps, stops);
  const expected = await plain.greedy(text, steps, stops);
  const golden = text.greedy?.slice(0, steps) ?? null;
  const difference = greedyDifference(expected, { tokens, logits });
  // Until they part: later ones continue different texts.
  const compared = Math.min(difference.same + 1, tokens.length, expected.tokens.length);
  return {
    figures,
    rowsComputed: text.ids.length - text.prefixLength + tokens.length - 1,
    distribution: distributionDifference(
      joinedRows(expected.logits.slice(0, compared)),
      joinedRows(logits.slice(0, compared)),
      compared,
    ),
    greedy: difference,
    asGolden: golden === null ? null : golden.every((id, at) => id === tokens[at]) && tokens.length >= golden.length,
  };
}

/** All texts of a setting together. */
function summary(lines: readonly Line[]): object {
  const figures = lines.map((line) => line.figures);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const differences = lines.flatMap(({ distribution }) => distribution ?? []);
  const continuations = lines.flatMap(({ greedy }) => greedy ?? []);
  const errors = lines.flatMap((line) => line.errors ?? []);
  const rows = sum(differences.map((difference) => difference.rows));
  return {
    texts: lines.length,
    failedRows: sum(figures.map(({ failedRows }) => failedRows.length)),
    asDeclared: figures.every(({ asDeclared }) => asDeclared),
    openings: Math.max(...figures.map(({ openings }) => openings)),
    bytes: Object.fromEntries(
      Object.keys(figures[0].bytes).map((phase) => [phase, sum(figures.map(({ bytes }) => bytes[phase]))]),
    ),
    rowsComputed: sum(lines.map(({ rowsComputed }) => rowsComputed)),
    clientCpuSeconds: sum(figures.map(({ clientCpuSeconds }) => clientCpuSeconds)),
    cpuSeconds: sum(figures.map(({ cpuSeconds }) => cpuSeconds)),
    seconds: sum(figures.map(({ firstSeconds }) => firstSeconds)) / lines.length,
    secondsALaterToken: sum(figures.map(({ laterSeconds }) => laterSeconds)) / lines.length,
    ...(errors.length === 0
      ? {}
      : {
          maxError: Math.max(...errors.map(({ max }) => max)),
          meanError: sum(errors.map(({ mean }) => mean)) / errors.length,
          magnitude: Math.max(...errors.map(({ magnitude }) => magnitude)),
        }),
    ...(rows === 0
      ? {}
      : {
          rows,
          meanKl: sum(differences.map(({ meanKl, rows: count }) => meanKl * count)) / rows,
          maxKl: Math.max(...differences.map(({ maxKl }) => maxKl)),
          sameTop: sum(differences.map(({ sameTop }) => sameTop)) / rows,
        }),
    ...(continuations.length === 0
      ? {}
      : {
          identical: continuations.filter(({ identical }) => identical).length,
          tokens: sum(continuations.map(({ same }) => same)),
          maxMarginNoise: Math.max(...continuations.map(({ maxMarginNoise }) => maxMarginNoise)),
          smallestMargin: Math.min(...continuations.map(({ smallestMargin }) => smallestMargin)),
          partAtMargins: continuations.flatMap(({ margin }) => margin ?? []),
        }),
  };
}
