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
import { shardedReading, type Reading } from "./sharded-reading.ts";
import type { ReadingErrors, VerifyRecord } from "./verify-record.ts";

/** Runs every prompt of a golden file, unsharded and sharded as the config says. Throws Error naming a file that does not fit. */
export async function verify(
  config: RunConfig,
  goldenFile: string,
  tolerance: number,
  report: (doing: string) => void,
): Promise<VerifyRecord> {
  const golden = await readGolden(goldenFile);
  const viewsFolder = await mkdtemp(path.join(tmpdir(), "weir-verify-"));
  const opened = await openDeployment({ ...config, head: "client", views: viewsFolder }, report);
  try {
    const { model } = opened;
    const unsharded = noErrors();
    const sharded = noErrors();
    const bytes = { payloadBytes: 0, expectedPayloadBytes: 0, framingBytes: 0 };
    for (const [at, prompt] of golden.entries()) {
      report(`prompt ${at + 1} of ${golden.length}`);
      checkFits(goldenFile, prompt, model);
      compare(unsharded, prompt, await plainReading(model, prompt));
      const reading = await shardedReading(opened, config, viewsFolder, prompt.ids, prompt.greedy?.length ?? 0);
      compare(sharded, prompt, reading);
      for (const name of ["payloadBytes", "expectedPayloadBytes", "framingBytes"] as const)
        bytes[name] += reading[name];
    }
    const within = ({
      maxHiddenRelativeError,
      maxLogitRelativeError,
      topTokensEqual,
      greedyEqual,
    }: ReadingErrors): boolean =>
      maxHiddenRelativeError <= tolerance &&
      (maxLogitRelativeError ?? 0) <= tolerance &&
      topTokensEqual !== false &&
      greedyEqual !== false;
    return {
      ok: within(unsharded) && within(sharded) && bytes.payloadBytes === bytes.expectedPayloadBytes,
      model: model.name,
      golden: goldenFile,
      prompts: golden.length,
      tolerance,
      unsharded,
      sharded,
      shape: {
        alpha: opened.shape.alpha,
        beta: opened.shape.beta,
        place: config.topology === undefined ? config.place : "topology",
        wire: config.wire,
      },
      bytes,
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
    const { absolute, relative } = difference(reading.hidden[layer], expected);
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
