/** What a record says of a setting, whichever attack made it: a cell of an experiment, or a row of a study that has a setting. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseRunConfig, type RunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { attackConfig, configHash, type Metric } from "../run/attack-config.ts";
import type { CellRecord } from "../run/cell-record.ts";
import { grouped } from "./grouped.ts";
import type { RecordPlace, Records } from "./read-records.ts";
import { studyFact } from "./study-fact.ts";
import { verdictMetric } from "./verdict-metric.ts";

/** A mean share with its 95 % interval over `n` prompts. */
export type Share = CellRecord["leak"];

export interface AttackFact {
  /** As the record names it. */
  readonly attack: string;
  /** What a verdict is of, where not of whole prompts; null: it is. */
  readonly part: string | null;
  /** Attacks that were run on the views: itself, or the parts of a composed one. */
  readonly ran: readonly string[];
  readonly model: string;
  readonly config: RunConfig;
  readonly layer: number;
  readonly coalition: readonly string[];
  readonly verdict: CellRecord["verdict"];
  /** What the verdict is of. */
  readonly metric: Metric;
  readonly share: Share;
  /** Share of the tokens that the coalition saw nothing of; null: there are none, or they weren't scored. */
  readonly hidden: Share | null;
  readonly prompts: number;
  /** Of each prompt; null: not in the record. */
  readonly tokens: number | null;
  /** Forward passes and seconds a prompt; null: not in the record. */
  readonly passes: number | null;
  readonly seconds: number | null;
  readonly certifiedWrong: number | null;
  /** What the attack reached where it must (positive), and on noise; null: no such control in the record. */
  readonly controls: { readonly positive: number | null; readonly noise: number | null };
  readonly place: RecordPlace;
}

const CONFIGS = new URL("../configs/", import.meta.url);

/** The facts of records, in their order. Throws Error naming the record whose setting is no run config. */
export async function attackFacts({ cells, studies, places }: Records): Promise<AttackFact[]> {
  const groups = grouped(cells, ({ experiment, configHash: hash, model }) => `${experiment} ${hash} ${model}`);
  const facts: AttackFact[] = [];
  for (const group of groups.values()) {
    const metric = verdictMetric(group);
    const ran = await attacksOf(group[0]);
    for (const record of group) facts.push(cellFact(record, { metric, ran, place: places.get(record)! }));
  }
  return [...facts, ...studies.flatMap((row) => studyFact(row, places.get(row)!) ?? [])];
}

function cellFact(
  record: CellRecord,
  { metric, ran, place }: { metric: Metric; ran: readonly string[]; place: RecordPlace },
): AttackFact {
  const { attack, cell, controls, scores, verdict } = record;
  return {
    attack,
    part: null,
    ran,
    model: record.model,
    config: parseRunConfig(cell.setting, `${place.file}:${place.line}: `),
    layer: cell.layer,
    coalition: cell.coalition,
    verdict: record.void === null ? verdict : "void",
    metric,
    share: scores[metric] ?? { mean: 0, low: 0, high: 0, n: 0 },
    hidden: scores.hiddenAccuracy ?? null,
    prompts: record.prompts,
    tokens: record.tokens,
    passes: record.forwardPasses,
    seconds: record.run.attackSeconds,
    certifiedWrong: record.certifiedWrong,
    controls: { positive: controls.positive.mean, noise: controls.negative.mean },
    place,
  };
}

/** What a record of a composed attack was made of, by the config that it names by its hash; else what it is called. */
async function attacksOf({ attack, experiment, configHash: hash }: CellRecord): Promise<string[]> {
  if (attack !== "best-of") return [attack];
  const file = fileURLToPath(new URL(`${experiment}.json`, CONFIGS));
  const text = await readFile(file, "utf8").catch(() => null);
  const config = attackConfig.safeParse(text === null ? null : JSON.parse(text));
  if (!config.success || configHash(config.data) !== hash) return [attack];
  return (config.data.attack.options.attacks as { name: string }[]).map(({ name }) => name);
}
