import {
  checkLabel,
  secondError,
  unknownError,
  usedError,
  type BatchLabel,
  type CorrelationStore,
} from "./correlation-store.ts";

/** Batches of one session, in memory: what was used is remembered as long as the store lives. */
export class MemoryCorrelationStore implements CorrelationStore {
  readonly #batches = new Map<string, { label: BatchLabel; words: Uint8Array } | "used">();

  put(label: BatchLabel, words: Uint8Array): Promise<void> {
    if (this.#batches.has(label.batch)) return Promise.reject(secondError(label.batch));
    this.#batches.set(label.batch, { label, words });
    return Promise.resolve();
  }

  async take(wanted: BatchLabel): Promise<Uint8Array> {
    const kept = this.#batches.get(wanted.batch);
    if (kept === undefined) throw unknownError(wanted.batch);
    if (kept === "used") throw usedError(wanted.batch);
    checkLabel(kept.label, wanted);
    this.#batches.set(wanted.batch, "used");
    return kept.words;
  }
}
