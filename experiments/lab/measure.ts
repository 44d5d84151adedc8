/** What a measure is: figures of one setting, and what it takes to get them. */
import type { z } from "zod";
import type { Lab } from "./lab.ts";
import type { Figures } from "./experiment-record.ts";

/** What a measure came to. */
export interface Measured {
  readonly figures: Figures;
  /** Whether figures are of real sessions, or of expressions and schedules alone. */
  readonly source: "run" | "declared";
  /** In a word, where the measure judges. */
  readonly verdict?: string;
  /** Why the figures say nothing, where a control failed. */
  readonly void?: string;
}

export interface Measure<O = unknown> {
  /** As questions name it. */
  readonly name: string;
  /** In a sentence: what its figures are. */
  readonly says: string;
  /** Rises when the same cell would give other figures. */
  readonly version: number;
  readonly options: z.ZodType<O>;
  /** Is it of a network? Others run once however many networks there are. */
  readonly isOfNetwork: boolean;
  /** About how long a cell takes with these many prompts and repeats of the default model, seconds. */
  seconds(prompts: number, repeats: number): number;
  run(lab: Lab, options: O): Promise<Measured>;
}

/** The measures that a question may name. */
export type Measures = ReadonlyMap<string, Measure>;
