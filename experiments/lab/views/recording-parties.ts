/** Real sessions in memory with views on: what each party of a setting sees of a prompt. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openSession } from "../../../protocols/fusion/client/open-session.ts";
import { openDeployment, type OpenedDeployment } from "../../../protocols/fusion/deployment/open-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { parseRunConfig, type RunConfig } from "../../../protocols/fusion/config/run-config.ts";
import type { SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import { rangesOf } from "../../../protocols/fusion/session/smpc-choice.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import type { ModelRanges } from "../../../protocols/smpc/lowering/ranges.ts";
import { RecordedView } from "./recorded-view.ts";

/** One prompt as all parties saw it. */
export interface RecordedSession {
  readonly description: SessionDescription;
  readonly schedule: Schedule;
  readonly reports: readonly PartyReport[];
  /** The view of a party, or of several together. Throws Error for a party that took no part. */
  view(parties: readonly string[]): RecordedView;
}

export class RecordingParties {
  readonly opened: OpenedDeployment;
  readonly #config: RunConfig;
  readonly #folder: string;
  readonly #ranges: ModelRanges | null;

  private constructor(opened: OpenedDeployment, config: RunConfig, folder: string, ranges: ModelRanges | null) {
    this.opened = opened;
    this.#config = config;
    this.#folder = folder;
    this.#ranges = ranges;
  }

  /** Starts the parties of a run config (its place is memory) with views in a folder of their own. Throws Error as `openDeployment` does. */
  static async open(
    setting: Readonly<Record<string, unknown>>,
    report: (doing: string) => void,
  ): Promise<RecordingParties> {
    const folder = await mkdtemp(path.join(tmpdir(), "weir-views-"));
    const config = parseRunConfig({ ...setting, place: "memory", views: folder });
    try {
      const opened = await openDeployment(config, report);
      const { layers, evaluators } = opened.onShares;
      const choice = {
        layers: [...layers],
        evaluators: [...evaluators],
        head: config.head === "smpc",
        headEvaluator: "parties" as const,
      };
      const ranges = choice.layers.length === 0 ? null : await rangesOf(opened.model, choice, report);
      return new RecordingParties(opened, config, folder, ranges);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Runs one prompt as the setting says and reads what every party kept. `steps`: the last tokens come one by one, as generated ones do,
   * a step each after the first. Throws RangeError for fewer tokens than steps.
   */
  async record(ids: readonly number[], steps = 1): Promise<RecordedSession> {
    if (ids.length < steps) throw new RangeError(`steps: expected at most a token each (${ids.length}), got ${steps}`);
    const promptLength = ids.length - steps + 1;
    const session = await openSession(this.opened, {
      config: this.#config,
      promptLength,
      maxNewTokens: steps,
      ranges: this.#ranges,
    });
    try {
      await session.step(0, ids.slice(0, promptLength));
      for (let step = 1; step < steps; step++) await session.step(step, [ids[promptLength + step - 1]]);
    } catch (error) {
      await session.giveUp(error);
      throw error;
    }
    const reports = await session.close();
    const number = session.number;
    const views = new Map<string, RecordedView>();
    for (const { party } of reports) views.set(party, await RecordedView.read(this.#folder, party, number));
    await this.#clear();
    return {
      description: session.description,
      schedule: session.schedule,
      reports,
      view(names) {
        const lacking = names.find((name) => !views.has(name));
        if (lacking !== undefined)
          throw new Error(
            `coalition: expected parties of the session (${[...views.keys()].join(", ")}), got ${lacking}`,
          );
        return RecordedView.union(names.map((name) => views.get(name)!));
      },
    };
  }

  async close(): Promise<void> {
    await this.opened.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** What was read is deleted: views of many prompts would fill a disk. */
  async #clear(): Promise<void> {
    for (const file of await readdir(this.#folder)) await rm(path.join(this.#folder, file));
  }
}
