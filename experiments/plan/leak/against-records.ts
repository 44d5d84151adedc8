/** What the leak model says of the settings of committed records, beside what attacks recovered there. */
import type { Model } from "../../../layers/model.ts";
import { parseRunConfig, placementText } from "../../../protocols/fusion/config/run-config.ts";
import { describeSession } from "../../../protocols/fusion/session/describe-session.ts";
import { layersOnShares } from "../../../protocols/fusion/session/layer-placement.ts";
import { scheduleOf } from "../../../protocols/fusion/session/session-description.ts";
import { Schedule } from "../../../protocols/cascade/schedule.ts";
import type { CellRecord } from "../../attacks/run/cell-record.ts";
import { readPositions, type Rule } from "./read-positions.ts";

/** The rules that an attack makes use of; others take none of them, or read a part. */
export const RULES_OF: Readonly<Record<string, readonly Rule[]>> = {
  "vocab-match": ["ids", "own row"],
  "rank-match": ["ids", "own row", "sums", "own token"],
  "additive-decode": ["ids", "first rows", "first sums"],
  lp: ["ids", "first rows", "first sums"],
  "joint-decode": ["ids", "own row", "clear row", "own token"],
};

export interface Compared {
  readonly record: CellRecord;
  /** Positions that the rules of the attack give. */
  readonly predicted: number;
  /** Positions that it recovered, mean over prompts; those that rules say nothing of and were guessed are among them. */
  readonly recovered: number;
  /** Passes of a prompt as the rules say, and as they were counted; null: the attack runs none. */
  readonly passes: { readonly predicted: number; readonly counted: number } | null;
}

/** Null for a record of another model, of an attack without rules, or whose parties hold nothing that the attack reads. */
export function comparedWith(
  record: CellRecord,
  model: Pick<Model, "spec" | "name" | "fingerprint" | "program">,
): Compared | null {
  const rules = RULES_OF[record.attack];
  if (rules === undefined || record.model !== model.name || record.void !== null) return null;
  const schedule = scheduleOfSetting(record.cell.setting, record.tokens, model);
  const read = readPositions(
    { schedule, vocabulary: model.spec.vocabulary, rules: new Set(rules) },
    record.cell.coalition,
  );
  let passes = 0;
  for (const reading of read.values()) passes += reading.passes;
  return {
    record,
    predicted: read.size,
    recovered: (record.scores.wholeAccuracy?.mean ?? 0) * record.tokens,
    passes: record.forwardPasses === 0 ? null : { predicted: passes, counted: record.forwardPasses },
  };
}

/** The public schedule of a prompt of so many tokens under a setting (keys of a run config), no token generated. */
export function scheduleOfSetting(
  setting: Readonly<Record<string, unknown>>,
  tokens: number,
  model: Pick<Model, "spec" | "name" | "fingerprint" | "program">,
): Schedule {
  const config = parseRunConfig(setting);
  const { spec, program } = model;
  const { layers } = layersOnShares(placementText(config), spec.layers);
  const plain = describeSession({ ...config, merge: "plain", maxTokens: 1 }, model, tokens, { maxNewTokens: 1 });
  const { r, s } = plain;
  const whole = scheduleOf(plain, spec, program);
  return new Schedule({
    r,
    s,
    promptLength: tokens,
    maxNewTokens: 1,
    attention: Array.from({ length: spec.layers }, (_, layer) => whole.attention(layer)),
    masked: config.merge === "masked",
    smpc: layers.length === 0 ? null : { layers, parties: config.parties, dealer: config.dealer },
  });
}
