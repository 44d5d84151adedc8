/** What an attack recovers from a coalition's views of a setting's prompts. */
import type { Attack, Preparation, PublicKnowledge, Recovery, TrainingText } from "../../lab/attack.ts";
import { noiseView } from "../../lab/noise-view.ts";
import { score, type Scores, type Seen } from "../../lab/score.ts";
import { gapAndCluster } from "../../../protocols/fusion/record/ledger.ts";
import type { RecordedSession } from "../../lab/views/recording-parties.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import type { AttackConfig } from "./attack-config.ts";
import type { CellRecord } from "./cell-record.ts";
import type { RecordedPrompt, SettingSessions } from "./setting-sessions.ts";
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
 * Attacks the first `count` prompts of a setting, and runs the prior-only control; `noise`: the noise control of the first prompts too;
 * `ids`: the attacker is told the ids that its parties got. Throws Error for a coalition that took no part, or where the attack can't be
 * prepared.
 */
export async function attackSetting(
  { config, attack, options, encode, training, report }: Experiment,
  sessions: SettingSessions,
  { layer, coalition }: Pick<Cell, "layer" | "coalition">,
  count: number,
  { noise, ids: withIds }: { readonly noise: boolean; readonly ids: boolean },
): Promise<Attacked> {
  const { model, engine } = sessions;
  const viewOf = ({ session }: RecordedPrompt): RecordedView => {
    const view = session.view(coalition);
    return withIds ? view : view.filter(({ kind }) => kind !== "ids");
  };
  const calibration = (await sessions.calibration()).map((each) => ({ ids: each.ids, view: viewOf(each) }));
  const recorded = await sessions.attacked(count);
  report(`${attack.name}: preparing`);
  const { seed } = config;
  const preparation: Preparation = { model, engine, encode, training, layer, calibration, seed, report };
  const prepared = await attack.prepare(preparation, options);
  const result: Omit<Attacked, "exposure"> = {
    model: model.name,
    scores: [],
    prior: [],
    noise: [],
    recoveries: [],
    seconds: [],
  };
  let exposure: Attacked["exposure"] = { seen: 0, minGap: null, maxCluster: 0 };
  try {
    for (const [at, each] of recorded.entries()) {
      report(`${attack.name}: prompt ${at + 1} of ${recorded.length}`);
      const { ids, session } = each;
      const view = viewOf(each);
      const seen = seenBy(session, coalition, view);
      exposure = {
        seen: seen.positions.size / ids.length,
        ...gapAndCluster([...seen.positions].sort((a, b) => a - b)),
      };
      const { description, schedule } = session;
      const knowledge: PublicKnowledge = { model, engine, description, schedule };
      const budget = { forwardPasses: config.forwardPasses, seed: seed + at };
      const startedAt = performance.now();
      const recovery = await prepared.recover(view, knowledge, budget);
      result.seconds.push((performance.now() - startedAt) / 1000);
      result.recoveries.push(recovery);
      result.scores.push(score(ids, seen, recovery));
      result.prior.push(score(ids, seen, await prepared.prior(view, knowledge, budget)));
      if (noise && at < CONTROL_PROMPTS)
        result.noise.push(score(ids, seen, await prepared.recover(noiseView(view, budget.seed), knowledge, budget)));
    }
    return { ...result, exposure };
  } finally {
    await prepared.close();
  }
}

/** What the ledgers of a coalition say that it saw directly. */
export function seenBy({ reports }: RecordedSession, coalition: readonly string[], view: RecordedView): Seen {
  const positions = reports
    .filter(({ party }) => coalition.includes(party))
    .flatMap(({ exposure }) => exposure.positions);
  return { positions: new Set(positions), ids: view.ids() };
}
