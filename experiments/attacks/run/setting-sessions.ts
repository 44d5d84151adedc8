import type { Model } from "../../../layers/model.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { RecordingParties, type RecordedSession } from "../../lab/views/recording-parties.ts";
import type { AttackConfig } from "./attack-config.ts";
import type { PromptIds } from "./texts.ts";

/** A prompt, and what all parties saw of it. */
export interface RecordedPrompt {
  readonly ids: readonly number[];
  readonly session: RecordedSession;
}

/** A setting of a config's grid or controls with the config's model. */
export const settingWithModel = (
  { model }: Pick<AttackConfig, "model">,
  setting: Readonly<Record<string, unknown>>,
): Record<string, unknown> => (model === undefined ? { ...setting } : { model, ...setting });

/** The parties of one setting, and their sessions of the prompts: each runs once, for the cells of all layers and coalitions. */
export class SettingSessions {
  readonly #parties: RecordingParties;
  readonly #prompts: PromptIds;
  readonly #report: (doing: string) => void;
  readonly #attacked: RecordedPrompt[] = [];
  readonly #calibration: RecordedPrompt[] = [];

  private constructor(parties: RecordingParties, prompts: PromptIds, report: (doing: string) => void) {
    this.#parties = parties;
    this.#prompts = prompts;
    this.#report = report;
  }

  /** Starts the parties; `setting` holds keys of a run config. Throws Error where it can't be run. */
  static async open(
    setting: Readonly<Record<string, unknown>>,
    prompts: PromptIds,
    report: (doing: string) => void,
  ): Promise<SettingSessions> {
    const parties = await RecordingParties.open({ ...setting, maxTokens: 1 }, report);
    return new SettingSessions(parties, prompts, report);
  }

  get model(): Model {
    return this.#parties.opened.model;
  }

  /** float32 stages, on one thread. */
  get engine(): StageEngine {
    return this.#parties.opened.head!;
  }

  /** The first `count` prompts that are attacked. */
  attacked(count: number): Promise<readonly RecordedPrompt[]> {
    return this.#upTo(this.#attacked, this.#prompts.attacked.slice(0, count), "prompt");
  }

  calibration(): Promise<readonly RecordedPrompt[]> {
    return this.#upTo(this.#calibration, this.#prompts.calibration, "calibration prompt");
  }

  close(): Promise<void> {
    return this.#parties.close();
  }

  async #upTo(
    recorded: RecordedPrompt[],
    prompts: readonly (readonly number[])[],
    what: string,
  ): Promise<readonly RecordedPrompt[]> {
    for (const ids of prompts.slice(recorded.length)) {
      this.#report(`recording ${what} ${recorded.length + 1} of ${prompts.length}`);
      recorded.push({ ids, session: await this.#parties.record(ids, this.#prompts.steps) });
    }
    return recorded.slice(0, prompts.length);
  }
}
