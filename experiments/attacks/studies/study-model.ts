/** What the studies of matching share: a model, its engine and tokenizer, and sessions of one CompNode whose view has every row. */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { compName } from "../../../protocols/cascade/party-name.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Model } from "../../../layers/model.ts";
import type { CalibrationPrompt } from "../../lab/attack.ts";
import { OwnProbes } from "../probes/own-probes.ts";
import { promptIds, trainingText } from "../run/texts.ts";
import { RecordingParties } from "../../lab/views/recording-parties.ts";

/** Texts that no model of the lab has been trained on. */
const TEXTS = "heldout.txt";

/** Public text that probes learn from (models/README.md says how it is made). */
const TRAINING = fileURLToPath(new URL("../../../models/recipe/build/train.jsonl", import.meta.url));
/** More characters than a token has on average, so that the text is enough. */
const CHARACTERS_PER_TOKEN = 6;

export interface StudyPrompts {
  readonly attacked: readonly CalibrationPrompt[];
  readonly calibration: readonly CalibrationPrompt[];
}

export class StudyModel {
  readonly parties: RecordingParties;
  readonly model: Model;
  readonly engine: StageEngine;
  readonly encode: (text: string) => number[];
  readonly #probes = new Map<number, OwnProbes>();

  private constructor(parties: RecordingParties, engine: StageEngine, encode: (text: string) => number[]) {
    this.parties = parties;
    this.model = parties.opened.model;
    this.engine = engine;
    this.encode = encode;
  }

  /** Opens a model (null: the default one) with the parties of `setting`, by default a single CompNode. */
  static async open(
    modelPath: string | null,
    setting: Readonly<Record<string, unknown>> = { alpha: 1, smpcLayers: "none" },
  ): Promise<StudyModel> {
    const given = modelPath === null ? setting : { ...setting, model: modelPath };
    const parties = await RecordingParties.open(given, () => {});
    const engine = await onnxEngine(parties.opened.model, { threads: 1 });
    const tokenizer = await openTokenizer(parties.opened.modelPath);
    return new StudyModel(parties, engine, (text) => tokenizer.encode(text, { addSpecial: false }));
  }

  /** Prompts from the held-out texts, `skip` lines passed over, and others to calibrate on from the last, as the first CompNode saw them without the ids. */
  async prompts(count: number, calibration: number, tokens: number, skip: number): Promise<StudyPrompts> {
    const file = fileURLToPath(new URL(`../texts/${TEXTS}`, import.meta.url));
    const ids = await promptIds({ prompts: { file, skip, count, calibration, tokens } }, ".", this.encode);
    const seen = async (lines: readonly (readonly number[])[]): Promise<CalibrationPrompt[]> => {
      const out: CalibrationPrompt[] = [];
      for (const line of lines) {
        const session = await this.parties.record(line);
        out.push({ ids: line, view: session.view([compName(0)]).filter(({ kind }) => kind === "row") });
      }
      return out;
    };
    return { attacked: await seen(ids.attacked), calibration: await seen(ids.calibration) };
  }

  /** Probes of the own token at a layer, from public text of another domain than the prompts'. */
  async ownProbes(layer: number, tokens: number, seed: number): Promise<OwnProbes> {
    const known = this.#probes.get(layer);
    if (known !== undefined) return known;
    const characters = CHARACTERS_PER_TOKEN * tokens;
    const training = await trainingText({ training: { file: TRAINING, notSources: ["sotu"], characters } }, ".");
    const documents = training.documents.map((text) => this.encode(text));
    const probes = await OwnProbes.train({ engine: this.engine, layer, documents, tokens, seed });
    this.#probes.set(layer, probes);
    return probes;
  }

  /** What records call the model: its folder, or the folder of its file. */
  get name(): string {
    const { path: where } = this.model;
    return path.basename(where.endsWith(".gguf") ? path.dirname(where) : where);
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.parties.close();
  }
}
