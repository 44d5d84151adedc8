/** A small model, prompts of random tokens as a setting's parties saw them, and training text of the same kind. */
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { CalibrationPrompt, Preparation, PublicKnowledge } from "../../../experiments/lab/attack.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

/** A model with grouped queries that takes milliseconds. */
const MODEL = new URL("../../fixtures/models/llama-gqa", import.meta.url).pathname;
const LENGTH = 24;

export class ProbeScene {
  readonly known: PublicKnowledge;
  readonly attacked: CalibrationPrompt;
  readonly budget = { forwardPasses: 1, seed: 1 };
  readonly #calibration: readonly CalibrationPrompt[];
  readonly #parties: RecordingParties;
  readonly #draw: Draw;

  private constructor(
    parties: RecordingParties,
    known: PublicKnowledge,
    attacked: CalibrationPrompt,
    calibration: readonly CalibrationPrompt[],
    draw: Draw,
  ) {
    this.#draw = draw;
    this.#parties = parties;
    this.known = known;
    this.attacked = attacked;
    this.#calibration = calibration;
  }

  /** `draw`: the next token of a text after the ones before it; default: any. */
  static async open(
    setting: Readonly<Record<string, unknown>>,
    coalition: readonly string[],
    draw: Draw = anyToken,
  ): Promise<ProbeScene> {
    const parties = await RecordingParties.open({ model: MODEL, ...setting }, () => {});
    const { model } = parties.opened;
    const engine = await onnxEngine(model, { threads: 1, stages: [] });
    const record = async (seed: string): Promise<{ prompt: CalibrationPrompt; session: RecordedSession }> => {
      const ids = text(LENGTH, seed, draw);
      const session = await parties.record(ids);
      // The ids that a CompNode of a clear layer 0 is given are left out: rows have to do.
      const view = session.view(coalition).filter(({ kind }) => kind !== "ids");
      return { prompt: { ids, view }, session };
    };
    const { prompt, session } = await record("attacked");
    const calibration = [await record("calibration 1"), await record("calibration 2")];
    const known = { model, engine, description: session.description, schedule: session.schedule };
    return new ProbeScene(
      parties,
      known,
      prompt,
      calibration.map((each) => each.prompt),
      draw,
    );
  }

  preparation(layer: number, seed = 1): Preparation {
    const { model, engine } = this.known;
    return {
      model,
      engine,
      encode: (words) => words.split(" ").map(Number),
      training: {
        name: "random",
        documents: Array.from({ length: 80 }, (_, at) => text(128, `training ${at}`, this.#draw).join(" ")),
      },
      layer,
      calibration: this.#calibration,
      seed,
      report: () => {},
    };
  }

  async close(): Promise<void> {
    await this.known.engine.close();
    await this.#parties.close();
  }
}

/** Chooses the next token, given those before it and chance. */
export type Draw = (before: readonly number[], chance: () => number) => number;

const VOCABULARY = 256;
const anyToken: Draw = (_, chance) => Math.floor(chance() * VOCABULARY);

function text(length: number, seed: string, draw: Draw): number[] {
  const chance = seededChance(seed);
  const ids: number[] = [];
  while (ids.length < length) ids.push(draw(ids, chance));
  return ids;
}
