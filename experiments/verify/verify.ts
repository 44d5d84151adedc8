/** Is the model that runs here, plain and sharded, the model that another framework ran? */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { monolithicModel } from "../../layers/onnx/monolithic-model.ts";
import type { Model } from "../../layers/model.ts";
import { openDeployment } from "../../protocols/fusion/deployment/open-deployment.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { difference } from "./difference.ts";
import { readGolden, rowArgMax, type GoldenPrompt } from "./golden.ts";
import { shardedReading, sumOf, type Costs, type Reading } from "./sharded-reading.ts";
import type { ReadingErrors, VerifyRecord } from "./verify-record.ts";

/** Bound on errors relative to the largest magnitude of a tensor: float32 keeps 7 digits, and 30 layers add up. */
const TOLERANCE = 1e-4;
/** The same after layers under SMPC, whose wires are cut to some twenty bits. */
const SMPC_TOLERANCE = 2e-2;

/**
 * Runs every prompt of a golden file, unsharded and sharded as the config says; `given` is the tolerance of both, null: what fits each.
 * Throws Error naming a file that does not fit.
 */
export async function verify(
  config: RunConfig,
  goldenFile: string,
  given: number | null,
  report: (doing: string) => void,
): Promise<VerifyRecord> {
  const golden = await readGolden(goldenFile);
  const viewsFolder = await mkdtemp(path.join(tmpdir(), "weir-verify-"));
  const opened = await openDeployment({ ...config, head: "client", views: viewsFolder }, report);
  try {
    const { model } = opened;
    const unsharded = noErrors();
    const sharded = noErrors();
    let costs: Costs = { payloadBytes: 0, expectedPayloadBytes: 0, framingBytes: 0, rounds: 0, expectedRounds: 0 };
    let failedRows = 0;
    for (const [at, prompt] of golden.entries()) {
      report(`prompt ${at + 1} of ${golden.length}`);
      checkFits(goldenFile, prompt, model);
      const plain = await plainReading(model, prompt);
      checkFinite(model, plain);
      compare(unsharded, prompt, plain);
      const reading = await shardedReading(opened, config, viewsFolder, prompt.ids, prompt.greedy?.length ?? 0);
      compare(sharded, prompt, reading);
      costs = sumOf(costs, reading.costs);
      failedRows += reading.failedRows;
    }
    const { layers } = opened.onShares;
    const tolerance = given ?? TOLERANCE;
    const shardedTolerance = given ?? (layers.length === 0 ? TOLERANCE : SMPC_TOLERANCE);
    const within = (
      { maxHiddenRelativeError, maxLogitRelativeError, topTokensEqual, greedyEqual }: ReadingErrors,
      bound: number,
    ): boolean =>
      maxHiddenRelativeError <= bound &&
      (maxLogitRelativeError ?? 0) <= bound &&
      topTokensEqual !== false &&
      greedyEqual !== false;
    return {
      ok:
        within(unsharded, tolerance) &&
        within(sharded, shardedTolerance) &&
        failedRows === 0 &&
        costs.payloadBytes === costs.expectedPayloadBytes &&
        costs.rounds === costs.expectedRounds,
      model: model.name,
      golden: goldenFile,
      prompts: golden.length,
      tolerance,
      shardedTolerance,
      unsharded,
      sharded,
      shape: {
        // With all layers under SMPC there is nothing to shard.
        alpha: layers.length === model.spec.layers ? 0 : opened.shape.alpha,
        beta: layers.length === model.spec.layers ? 0 : opened.shape.beta,
        place: config.topology === undefined ? config.place : "topology",
        wire: config.wire,
      },
      smpc:
        layers.length === 0
          ? null
          : {
              layers: [...layers],
              parties: config.parties,
              dealer: config.dealer,
              precision: config.smpcPrecision,
              trade: config.smpcTrade,
              failedRows,
            },
      bytes: costs,
    };
  } finally {
    await opened.close();
    await rm(viewsFolder, { recursive: true, force: true });
  }
}

/** The whole model in one session, nothing sharded. */
async function plainReading(model: Model, prompt: GoldenPrompt): Promise<Reading> {
  const plain = await monolithicModel(model, { threads: 1 });
  try {
    const { hidden, logits } = await plain.begin().extend(prompt.ids, { allLogits: true, hidden: true });
    const greedy: number[] = [];
    if (prompt.greedy !== null) {
      const sequence = plain.begin();
      let ids = prompt.ids;
      while (greedy.length < prompt.greedy.length && !model.spec.stopTokens.includes(greedy.at(-1) ?? -1)) {
        const next = (await sequence.extend(ids)).logits!;
        greedy.push(rowArgMax(next.data, 1)[0]);
        ids = greedy.slice(-1);
      }
    }
    return { hidden: hidden.map(({ data }) => data), logits: logits?.data ?? null, greedy };
  } finally {
    await plain.close();
  }
}

type Errors = { -readonly [name in keyof ReadingErrors]: ReadingErrors[name] };

const noErrors = (): Errors => ({
  hiddenStates: [],
  maxHiddenError: 0,
  maxHiddenRelativeError: 0,
  maxLogitError: null,
  maxLogitRelativeError: null,
  topTokensEqual: null,
  greedyEqual: null,
});

/** Widens `errors` by what one prompt shows. */
function compare(errors: Errors, golden: GoldenPrompt, reading: Reading): void {
  for (const [layer, expected] of golden.hidden) {
    const rows = reading.hidden[layer];
    if (rows === null) continue;
    if (!errors.hiddenStates.includes(layer)) errors.hiddenStates.push(layer);
    const { absolute, relative } = difference(rows, expected);
    errors.maxHiddenError = Math.max(errors.maxHiddenError, absolute);
    errors.maxHiddenRelativeError = Math.max(errors.maxHiddenRelativeError, relative);
  }
  if (reading.logits !== null) {
    const last = reading.logits.slice(-reading.logits.length / golden.ids.length);
    for (const [actual, expected] of [
      [reading.logits, golden.logits],
      [last, golden.lastLogits],
    ] as const) {
      if (expected === null) continue;
      const { absolute, relative } = difference(actual, expected);
      errors.maxLogitError = Math.max(errors.maxLogitError ?? 0, absolute);
      errors.maxLogitRelativeError = Math.max(errors.maxLogitRelativeError ?? 0, relative);
    }
    if (golden.topIds !== null) {
      const top = rowArgMax(reading.logits, golden.ids.length);
      errors.topTokensEqual = errors.topTokensEqual !== false && golden.topIds.every((id, row) => id === top[row]);
    }
  }
  if (golden.greedy !== null) {
    const equal =
      golden.greedy.length === reading.greedy.length && golden.greedy.every((id, at) => id === reading.greedy[at]);
    errors.greedyEqual = errors.greedyEqual !== false && equal;
  }
}

/** A model whose own values are no numbers is at fault itself, whatever the parties make of it. */
function checkFinite({ name }: Model, { hidden }: Reading): void {
  for (const [layer, rows] of hidden.entries()) {
    const wrong = rows?.find((value) => !Number.isFinite(value));
    const cause =
      layer === 0
        ? "the embedding holds it"
        : `weights hold one, or what layer ${layer - 1} computes is beyond float32`;
    if (wrong !== undefined)
      throw new Error(
        `model ${name}: expected finite values, got ${wrong} in hidden.${layer} of the unsharded model; ${cause}`,
      );
  }
}

function checkFits(file: string, { prefix, ids, hidden }: GoldenPrompt, { spec, name }: Model): void {
  const beyond = ids.find((id) => id < 0 || id >= spec.vocabulary);
  if (beyond !== undefined)
    throw new Error(
      `golden ${file}: expected ids below ${spec.vocabulary} (model ${name}), got ${beyond} in ${prefix}input_ids`,
    );
  for (const [layer, rows] of hidden) {
    if (layer > spec.layers || rows.length !== ids.length * spec.width)
      throw new Error(
        `golden ${file}: expected ${prefix}hidden.${layer} of ${ids.length} x ${spec.width} values for model ${name} with ${spec.layers} layers, got ${rows.length}`,
      );
  }
}
