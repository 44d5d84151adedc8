/** Which batch of correlations a party holds, or wants: all fields must be those of who dealt it. */
export interface BatchLabel {
  /** Of the batch, unique for ever: "session/segment/step". */
  readonly batch: string;
  /** Hash of the plans that it was dealt for. */
  readonly plan: string;
  readonly party: number;
}

/**
 * Correlations that wait to be used, once each. A mask that is used twice gives the difference of two secrets away, so a batch counts as
 * used before its first word is read, whatever happens then, and a used, unknown or foreign one is refused.
 */
export interface CorrelationStore {
  /** Keeps a batch. Throws CorrelationError where one of that name is or was there. */
  put(label: BatchLabel, words: Uint8Array): Promise<void>;
  /** Marks a batch as used and gives its words. Throws CorrelationError saying why it may not be used. */
  take(label: BatchLabel): Promise<Uint8Array>;
}

/** Why a batch may not be put or taken. */
export class CorrelationError extends Error {
  override readonly name = "CorrelationError";
}

/** Throws CorrelationError where a kept batch is not the one that is asked for. */
export function checkLabel(kept: BatchLabel, wanted: BatchLabel): void {
  for (const field of ["plan", "party"] as const)
    if (kept[field] !== wanted[field])
      throw new CorrelationError(
        `batch ${wanted.batch}: expected one dealt for ${field} ${wanted[field]}, got one for ${field} ${kept[field]}`,
      );
}

export const usedError = (batch: string): CorrelationError =>
  new CorrelationError(
    `batch ${batch}: expected one that is not used, got one that was used; a step that is tried again needs a new one`,
  );
export const unknownError = (batch: string): CorrelationError =>
  new CorrelationError(`batch ${batch}: expected one that was dealt to this party, got none of that name`);
export const secondError = (batch: string): CorrelationError =>
  new CorrelationError(`batch ${batch}: expected it to be dealt once, got it a second time`);
