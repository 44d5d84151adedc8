/** The windows of a prompt as a party's own rows cut it. */

export interface OwnWindow {
  readonly start: number;
  /** After the last position. */
  readonly end: number;
  /** Own positions that are observed in it, ascending; the last one is the window's last. */
  readonly own: readonly number[];
}

/**
 * Windows one after the other: hidden positions with the first `most` own ones behind them; further own ones of a cluster are windows of their own,
 * with nothing hidden. Positions after the last own one are in none.
 */
export function ownWindows(own: readonly number[], most: number): OwnWindow[] {
  const sorted = [...own].sort((a, b) => a - b);
  const windows: OwnWindow[] = [];
  let start = 0;
  for (let at = 0; at < sorted.length;) {
    const hidden = sorted[at] - start;
    let count = 1;
    if (hidden > 0) while (count < most && sorted[at + count] === sorted[at] + count) count++;
    const end = sorted[at + count - 1] + 1;
    windows.push({ start, end, own: sorted.slice(at, at + count) });
    start = end;
    at += count;
  }
  return windows;
}
