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
