/** Rows of a recorded view, as probes read them. */
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import type { RowKind, RowReader, RowsSeen } from "./row-kinds.ts";

/** What a kind is made of. */
const PARTS: Record<RowKind, readonly ("row" | "q" | "k" | "v")[]> = {
  row: ["row"],
  q: ["q"],
  k: ["k"],
  v: ["v"],
  kv: ["k", "v"],
  normed: ["q", "k", "v"],
};

/** Positions that the view has all parts of, in order. */
export function positionsOf(view: RecordedView, layer: number, kind: RowKind): number[] {
  const [first, ...others] = PARTS[kind].map((part) => view.rows(part, layer));
  return [...first.keys()].filter((position) => others.every((rows) => rows.has(position))).sort((a, b) => a - b);
}

/** The view's rows at these positions, [positions, width]. */
export async function rowsOf(
  view: RecordedView,
  layer: number,
  reader: RowReader,
  positions: readonly number[],
): Promise<Float32Array> {
  if (positions.length === 0) return new Float32Array(0);
  const stack = (part: "row" | "q" | "k" | "v"): Float32Array => {
    if (!PARTS[reader.kind].includes(part)) return new Float32Array(0);
    const rows = view.rows(part, layer);
    const width = rows.get(positions[0])!.length;
    const stacked = new Float32Array(positions.length * width);
    positions.forEach((position, at) => stacked.set(rows.get(position)!, at * width));
    return stacked;
  };
  const projections = { q: stack("q"), k: stack("k"), v: stack("v") };
  const seen: RowsSeen = { rows: stack("row"), projections, positions };
  return reader.read(seen);
}
