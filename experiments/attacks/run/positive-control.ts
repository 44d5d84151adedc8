import { remembered } from "../../../protocols/remembered.ts";
import type { Scores } from "../../lab/score.ts";
import { attackSetting, CONTROL_PROMPTS, type Experiment } from "./attack-setting.ts";
import { settingWithModel, SettingSessions } from "./setting-sessions.ts";

/** The attack where it must succeed: once for each layer, because no cell changes anything of it. */
export class PositiveControl {
  readonly #experiment: Experiment;
  readonly #scores = new Map<number, Promise<Scores[]>>();
  #sessions: Promise<SettingSessions> | undefined;

  constructor(experiment: Experiment) {
    this.#experiment = experiment;
  }

  /** Scores of the first prompts, at the control's own layer where the config names one. Throws Error where its setting can't be run. */
  at(layer: number): Promise<Scores[]> {
    const { positive } = this.#experiment.config.controls;
    const attackedLayer = positive.layer ?? layer;
    return remembered(this.#scores, attackedLayer, () => this.#run(attackedLayer));
  }

  async close(): Promise<void> {
    await (await this.#sessions)?.close();
  }

  async #run(layer: number): Promise<Scores[]> {
    const { config, prompts, report } = this.#experiment;
    const { setting, coalition, withoutIds } = config.controls.positive;
    this.#sessions ??= SettingSessions.open(settingWithModel(config, setting), prompts, report);
    const how = { noise: false, ids: !withoutIds };
    const sessions = await this.#sessions;
    return (await attackSetting(this.#experiment, sessions, { layer, coalition }, CONTROL_PROMPTS, how)).scores;
  }
}
