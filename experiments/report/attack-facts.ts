/** Records as facts of settings. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";
import { attackConfig, configHash } from "../attacks/run/attack-config.ts";
import type { Metric } from "../lab/metric.ts";
import type { CellRecord } from "../attacks/run/cell-record.ts";
import type { AttackFact } from "./attack-fact.ts";
import { grouped } from "./grouped.ts";
import type { RecordPlace, Records } from "./read-records.ts";
import { studyFact } from "./study-fact.ts";
import { verdictMetric } from "./verdict-metric.ts";

const CONFIGS = new URL("../attacks/configs/", import.meta.url);

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
