import type { RunRecord } from "../record/run-record.ts";

export interface GenerateOptions {
  /** `performance.now()` at the start of the command. */
  readonly startedAt: number;
  readonly onText: (text: string) => void;
}

/** A model, and the parties that it takes, standing ready for a prompt. */
export interface Run {
  generate(options: GenerateOptions): Promise<RunRecord>;
  close(): Promise<void>;
}
