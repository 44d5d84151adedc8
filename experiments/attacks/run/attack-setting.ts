/** Prompts run as a setting says, and what an attack recovers from a coalition's views of them. */
import type { Attack, Preparation, PreparedAttack, PublicKnowledge, Recovery, TrainingText } from "../attack.ts";
import { noiseView } from "../controls/noise-view.ts";
import { score, type Scores, type Seen } from "../metrics/score.ts";
import { gapAndCluster } from "../../../protocols/fusion/ledger.ts";
import { RecordingParties, type RecordedSession } from "../views/recording-parties.ts";
import type { RecordedView } from "../views/recorded-view.ts";
import type { AttackConfig } from "./attack-config.ts";
import type { CellRecord } from "./cell-record.ts";
import type { PromptIds } from "./texts.ts";

export interface Cell {
  readonly setting: Readonly<Record<string, unknown>>;
  readonly layer: number;
  readonly coalition: readonly string[];
}

/** What all cells of an experiment share. */
export interface Experiment {
  readonly config: AttackConfig;
  readonly attack: Attack<unknown>;
  readonly options: unknown;
  readonly encode: (text: string) => number[];
  readonly prompts: PromptIds;
  readonly training: TrainingText;
  readonly report: (doing: string) => void;
}

/** Prompts of the positive and negative control. */
export const CONTROL_PROMPTS = 4;

export interface Attacked {
  readonly model: string;
  readonly scores: Scores[];
  readonly prior: Scores[];
  /** On noise, of the first prompts. */
  readonly noise: Scores[];
  readonly recoveries: Recovery[];
  readonly seconds: number[];
  readonly exposure: CellRecord["exposure"];
}

/**
 * Records every prompt, attacks it, and runs the prior-only control; `noise`: the noise control of the first prompts too; `ids`: the
 * attacker is told the ids that its parties got. Throws Error where the setting can't be run.
 */
export async function attackSetting(
  { config, attack, options, encode, training, prompts, report }: Experiment,
  { setting, layer, coalition }: Cell,
  attacked: readonly (readonly number[])[],
  { noise, ids: withIds }: { readonly noise: boolean; readonly ids: boolean },
): Promise<Attacked> {
  const model = config.model === undefined ? {} : { model: config.model };
  const parties = await RecordingParties.open({ ...model, ...setting, maxTokens: 1 }, report);
  const withheld = (view: RecordedView): RecordedView => (withIds ? view : view.filter(({ kind }) => kind !== "ids"));
  let prepared: PreparedAttack | undefined;
  try {
    const { opened } = parties;
    const calibration = [];
    for (const ids of prompts.calibration)
      calibration.push({ ids, view: withheld((await parties.record(ids)).view(coalition)) });
    report(`${attack.name}: preparing`);
    const preparation: Preparation = {
      model: opened.model,
      engine: opened.head!,
      encode,
      training,
      layer,
      calibration,
      seed: config.seed,
      report,
    };
    prepared = await attack.prepare(preparation, options);
    const result: Attacked = {
      model: opened.model.name,
      scores: [],
      prior: [],
      noise: [],
      recoveries: [],
      seconds: [],
      exposure: { seen: 0, minGap: null, maxCluster: 0 },
    };
    let exposure = result.exposure;
    for (const [at, ids] of attacked.entries()) {
      report(`${attack.name}: prompt ${at + 1} of ${attacked.length}, ${JSON.stringify(setting)}`);
      const session = await parties.record(ids);
      const view = withheld(session.view(coalition));
      const seen = seenBy(session, coalition, view);
      exposure = {
        seen: seen.positions.size / ids.length,
        ...gapAndCluster([...seen.positions].sort((a, b) => a - b)),
      };
      const known: PublicKnowledge = {
        model: opened.model,
        engine: opened.head!,
        description: session.description,
        schedule: session.schedule,
      };
      const budget = { forwardPasses: config.forwardPasses, seed: config.seed + at };
      const startedAt = performance.now();
      const recovery = await prepared.recover(view, known, budget);
      result.seconds.push((performance.now() - startedAt) / 1000);
      result.recoveries.push(recovery);
      result.scores.push(score(ids, seen, recovery));
      result.prior.push(score(ids, seen, await prepared.prior(view, known, budget)));
      if (noise && at < CONTROL_PROMPTS)
        result.noise.push(score(ids, seen, await prepared.recover(noiseView(view, budget.seed), known, budget)));
    }
    return { ...result, exposure };
  } finally {
    await prepared?.close();
    await parties.close();
  }
}

/** What the ledgers of a coalition say that it saw directly. */
export function seenBy({ reports }: RecordedSession, coalition: readonly string[], view: RecordedView): Seen {
  const positions = reports
    .filter(({ party }) => coalition.includes(party))
    .flatMap(({ exposure }) => exposure.positions);
  return { positions: new Set(positions), ids: view.ids() };
}
