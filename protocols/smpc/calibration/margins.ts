import { columnBounds, encodeColumns } from "../lowering/column-bounds.ts";
import type { ModelRanges, SiteRange } from "../lowering/ranges.ts";

/**
 * The margins, and what they are chosen by: on 200 random halvings of weir's passages, how far one half left the range of the other
 * (SmolLM2 layers 0-2 and the default model; 95 % of the cases / all). The whole text is twice a half, so a new text leaves less.
 *
 *   maxAbs of norms, attention outputs and rows   1.08 / 1.16 times      of activations and operands   1.1-1.4 / 1.7
 *   mean squares                                  1.2 / 1.38 times       ends of logits                0.2 / 0.35 of the spread
 */
const MAX_ABS = 1.25;
/** On mean squares, either way: rows are few, so room costs little, and a row outside comes out wrong. */
const SQUARE = 2;
/** On the largest magnitude of one column, which fewer values are behind: no neuron of a half left twice that of the other. */
const COLUMN = 2;
/** Room at either end of attention logits: a share of a row's largest spread, and at least this many nats. */
const SPREAD = 0.15;
const SMALLEST_ROOM = 1;

/**
 * What the lowering may rely on where `range` was observed: wider by the margins above, which held-out text is held against in the
 * tests. A certified range is one already and stays as it is (but for its columns, which are observed), and so does a widened one.
 */
export function withMargin(range: SiteRange): SiteRange {
  if (range.widened === true) return range;
  const { maxAbs, low, high, spread, diagonalLow, diagonalHigh, minSquare, maxSquare } = range;
  const columns =
    range.columns === undefined
      ? {}
      : { columns: encodeColumns(columnBounds(range.columns).map((bound) => bound * COLUMN)) };
  if (range.range === "certified") return range.columns === undefined ? range : { ...range, ...columns };
  const wider: { -readonly [key in keyof SiteRange]: SiteRange[key] } = {
    range: "calibrated",
    maxAbs: maxAbs * MAX_ABS,
    ...columns,
  };
  if (minSquare !== undefined) wider.minSquare = minSquare / SQUARE;
  if (maxSquare !== undefined) wider.maxSquare = maxSquare * SQUARE;
  if (low !== undefined && high !== undefined) {
    const room = Math.max(SMALLEST_ROOM, SPREAD * (spread ?? high - low));
    wider.low = low - room;
    wider.high = high + room;
    wider.spread = (spread ?? high - low) + room;
    if (diagonalLow !== undefined) wider.diagonalLow = diagonalLow - room;
    if (diagonalHigh !== undefined) wider.diagonalHigh = diagonalHigh + room;
  }
  return wider;
}

/** The ranges of a model as the lowering reads them, margins included; Error naming a site that has none. */
export const rangeOfSite =
  (ranges: ModelRanges): ((site: string) => SiteRange) =>
  (site) => {
    const range = ranges.sites[site];
    if (range === undefined)
      throw new Error(`range of ${site}: expected one, got none; weir calibrate with this layer makes it`);
    return withMargin(range);
  };
