/** What a record says of a setting, whichever attack made it: a cell of an experiment, or a row of a study that has a setting. */
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { Metric } from "../lab/metric.ts";
import type { CellRecord } from "../attacks/run/cell-record.ts";
import type { RecordPlace } from "./read-records.ts";

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
