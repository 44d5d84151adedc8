/** A batch travels in pieces of this size, so that none is held twice. */
export const PIECE_BYTES = 8 * 1024 * 1024;

/** Sizes of the messages that carry a batch of `bytes` bytes. */
export function pieceSizes(bytes: number): number[] {
  return Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, (_, at) =>
    Math.min(PIECE_BYTES, bytes - at * PIECE_BYTES),
  );
}

/** Unique for ever: sessions have random numbers, and their seeds are fresh. */
export const batchName = (session: number, segment: number, step: number): string => `${session}/${segment}/${step}`;

/** Bytes of any lengths cut into messages of given sizes, so that a batch is never in memory as a whole at the dealer. */
export class BatchPieces {
  readonly #sizes: readonly number[];
  #part = 0;
  #piece: Uint8Array;
  #filled = 0;

  constructor(sizes: readonly number[]) {
    this.#sizes = sizes;
    this.#piece = new Uint8Array(sizes[0] ?? 0);
  }

  /** Takes the next bytes; returns the messages that they complete, with their numbers. Throws RangeError for more than all sizes. */
  add(bytes: Uint8Array): [part: number, data: Uint8Array][] {
    const full: [number, Uint8Array][] = [];
    for (let done = 0; done < bytes.length;) {
      if (this.#piece.length === 0) throw new RangeError("batch: expected as many bytes as its layout has, got more");
      const taken = bytes.subarray(done, done + this.#piece.length - this.#filled);
      this.#piece.set(taken, this.#filled);
      this.#filled += taken.length;
      done += taken.length;
      if (this.#filled < this.#piece.length) continue;
      full.push([this.#part++, this.#piece]);
      this.#piece = new Uint8Array(this.#sizes[this.#part] ?? 0);
      this.#filled = 0;
    }
    return full;
  }
}
