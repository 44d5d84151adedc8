/** What the tests of matching share: the default model, one CompNode's rows of short texts, and public text to learn from. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { CalibrationPrompt, Preparation, PublicKnowledge } from "../../../experiments/lab/attack.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");

const TEXTS = [
  "The treaty with the northern powers has been concluded on terms that honour both parties.",
  "I recommend to Congress that the duties on imported goods be examined without delay.",
  "Our relations with all nations continue to be friendly, and commerce is increasing.",
] as const;

export interface MatchingModel {
  readonly parties: RecordingParties;
  readonly engine: StageEngine;
  readonly preparation: Preparation;
  /** A session of a prompt that isn't among the calibration's. */
  readonly attacked: { readonly ids: readonly number[]; readonly session: RecordedSession };
  known(): PublicKnowledge;
  close(): Promise<void>;
}

/** Opens the default model's parties in memory and records `tokens` tokens of each text; the first text is the attacked one. */
export async function openMatchingModel(
  setting: Readonly<Record<string, unknown>>,
  layer: number,
  tokens: number,
): Promise<MatchingModel> {
  const parties = await RecordingParties.open({ smpcLayers: "none", ...setting }, () => {});
  const { model, modelPath } = parties.opened;
  const engine = await onnxEngine(model, { threads: 1 });
  const tokenizer = await openTokenizer(modelPath);
  const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: false });
  const passages = await readFile(path.join(ROOT, "models/calibration/passages.txt"), "utf8");
  const [first, ...rest] = TEXTS.map((text) => encode(text).slice(0, tokens));
  const session = await parties.record(first);
  const calibration: CalibrationPrompt[] = [];
  for (const ids of rest) calibration.push({ ids, view: (await parties.record(ids)).view(["comp.0"]) });
  const training = { name: "passages", documents: passages.split("\n").filter((line) => line.length > 200) };
  return {
    parties,
    engine,
    preparation: { model, engine, encode, training, layer, calibration, seed: 1, report: () => undefined },
    attacked: { ids: first, session },
    known: () => ({ model, engine, description: session.description, schedule: session.schedule }),
    async close() {
      await engine.close();
      await parties.close();
    },
  };
}
