/** What the curves over layers share: a model, prompts, and probes in training that walk through its layers with the prompts. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { openModel, type Model } from "../../../layers/model.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { LayerWalk } from "../probes/layer-walk.ts";
import type { LabelledRows } from "../probes/own-token-probes.ts";
import { ProbeTraining } from "../probes/probe-training.ts";
import { promptIds, trainingText } from "../run/texts.ts";

export interface CurveOptions {
  /** Folder or .gguf file. */
  readonly model: string;
  readonly prompts: number;
  readonly calibration: number;
  /** Tokens of a prompt. */
  readonly tokens: number;
  /** Texts, one a line: attacked from the first after `skip` on, calibrated on from the last on. */
  readonly promptFile: string;
  readonly skip: number;
  /** Public text; `notSources` of it are left out. */
  readonly trainingFile: string;
  readonly notSources: readonly string[];
  readonly trainingTokens: number;
  readonly windowTokens: number;
  readonly prefixes: number;
  readonly seed: number;
}

/** The files that the default sizes are for. */
export const CURVE_FILES = {
  model: fileURLToPath(new URL("../../../models/default", import.meta.url)),
  promptFile: fileURLToPath(new URL("../texts/heldout.txt", import.meta.url)),
  trainingFile: fileURLToPath(new URL("../../../models/recipe/build/train.jsonl", import.meta.url)),
};

export class CurveTexts {
  readonly model: Model;
  readonly engine: StageEngine;
  readonly product: Float64Product;
  readonly documents: readonly (readonly number[])[];
  readonly attacked: LayerWalk;
  readonly calibration: LayerWalk;
  readonly training: ProbeTraining;

  private constructor(parts: Omit<CurveTexts, "close" | "name">) {
    this.model = parts.model;
    this.engine = parts.engine;
    this.product = parts.product;
    this.documents = parts.documents;
    this.attacked = parts.attacked;
    this.calibration = parts.calibration;
    this.training = parts.training;
  }

  /** Throws Error for texts that can't be read or are too short. */
  static async open(options: CurveOptions): Promise<CurveTexts> {
    const { model: modelPath, promptFile, trainingFile, notSources, seed } = options;
    const model = await openModel(modelPath);
    const engine = await onnxEngine(model, { threads: 1, stages: [] });
    const product = await Float64Product.open(1);
    const tokenizer = await openTokenizer(modelPath);
    const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: false });
    const { prompts: count, skip, calibration, tokens } = options;
    const prompts = await promptIds({ prompts: { file: promptFile, skip, count, calibration, tokens } }, ".", encode);
    const training = { file: trainingFile, notSources: [...notSources], characters: Infinity };
    const documents = (await trainingText({ training }, ".")).documents.map(encode);
    const { trainingTokens, windowTokens, prefixes } = options;
    return new CurveTexts({
      model,
      engine,
      product,
      documents,
      attacked: await LayerWalk.begin(engine, prompts.attacked),
      calibration: await LayerWalk.begin(engine, prompts.calibration),
      training: await ProbeTraining.begin(engine, product, {
        documents,
        tokens: trainingTokens,
        windowTokens,
        prefixes,
        seed,
      }),
    });
  }

  /** What records call the model: its folder, or the folder of its file. */
  get name(): string {
    const { path: where } = this.model;
    return path.basename(where.endsWith(".gguf") ? path.dirname(where) : where);
  }

  async close(): Promise<void> {
    await this.product.close();
    await this.engine.close();
    await this.model.close();
  }
}

/** Those of a walk's rows [rows, width] that are after position 0. */
export function afterFirst({ ids, positions }: LayerWalk, rows: Float32Array, width: number): LabelledRows {
  const kept = positions.flatMap((position, row) => (position === 0 ? [] : [row]));
  const out = new Float32Array(kept.length * width);
  kept.forEach((row, at) => out.set(rows.subarray(row * width, (row + 1) * width), at * width));
  return { rows: out, ids: kept.map((row) => ids[row]) };
}

/** Shares by prompt: rows grouped by the text they are of, and a value a row (null: not counted). */
export function perPrompt({ texts, positions }: LayerWalk, valueOf: (row: number) => number | null): number[] {
  const sums = texts.map(() => ({ sum: 0, count: 0 }));
  let text = -1;
  positions.forEach((position, row) => {
    if (position === 0) text++;
    const value = valueOf(row);
    if (value === null) return;
    sums[text].sum += value;
    sums[text].count++;
  });
  return sums.filter(({ count }) => count > 0).map(({ sum, count }) => sum / count);
}
