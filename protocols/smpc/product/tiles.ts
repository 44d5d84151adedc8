/** Words in a tile of an element-wise gate: a dozen arrays of them stay in the processor's cache. */
const TILE_WORDS = 8192;

/** A range of rows. */
export interface Tile {
  readonly from: number;
  readonly to: number;
}

/**
 * Cuts `rows` rows of `width` words into tiles of about 8192 words, each of a multiple of eight rows but the last, so that packed words
 * of any bits start at whole bytes.
 */
export function tiles(rows: number, width: number): Tile[] {
  const height = Math.max(1, Math.floor(TILE_WORDS / width / 8)) * 8;
  const cut: Tile[] = [];
  for (let from = 0; from < rows; from += height) cut.push({ from, to: Math.min(rows, from + height) });
  return cut;
}
