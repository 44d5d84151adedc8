/** What a party holds of its own positions, layer by layer: hidden rows, or the key and value rows that an AttnNode is sent. */
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

/** kv: a key row and the value row behind it. */
export type OwnRowKind = "row" | "kv";

export interface OwnRows {
  readonly kind: OwnRowKind;
  /** Layers at whose input they are, ascending, the attacked one first; the number of layers: after the last one. */
  readonly layers: readonly number[];
  /** Ascending. */
  readonly positions: readonly number[];
  /** Rows of positions at some layers, one after the other: [layers, positions, width]. Throws Error for a row that the view lacks. */
  at(layers: readonly number[], positions: readonly number[]): Float32Array;
}

/** Numbers of a row of a kind. */
export const ownRowWidth = ({ width, kvHeads, headDim }: ModelSpec, kind: OwnRowKind): number =>
  kind === "row" ? width : 2 * kvHeads * headDim;

/** Hidden rows from `layer` on where the view has them, else key and value rows. Throws Error where it has neither. */
export function ownRows(view: RecordedView, layer: number, spec: ModelSpec): OwnRows {
  const kind = view.rows("row", layer).size > 0 ? "row" : "kv";
  const found = new Map<number, Map<number, Float32Array | Float64Array>>();
  for (let at = layer; at <= spec.layers; at++) {
    const rows = kind === "row" ? view.rows("row", at) : keysAndValues(view, at);
    if (rows.size > 0) found.set(at, rows);
  }
  const attacked = found.get(layer);
  if (attacked === undefined)
    throw new Error(`rows: expected hidden rows, or keys and values, of layer ${layer}, got none`);
  return {
    kind,
    layers: [...found.keys()],
    positions: [...attacked.keys()].sort((a, b) => a - b),
    at(layers, positions) {
      const width = ownRowWidth(spec, kind);
      const out = new Float32Array(layers.length * positions.length * width);
      let to = 0;
      for (const at of layers)
        for (const position of positions) {
          const row = found.get(at)?.get(position);
          if (row === undefined) throw new Error(`rows: expected one of position ${position} at layer ${at}, got none`);
          out.set(row, to);
          to += width;
        }
      return out;
    },
  };
}

function keysAndValues(view: RecordedView, layer: number): Map<number, Float32Array> {
  const values = view.rows("v", layer);
  const rows = new Map<number, Float32Array>();
  for (const [position, k] of view.rows("k", layer)) {
    const v = values.get(position);
    if (v !== undefined) rows.set(position, Float32Array.from([...k, ...v]));
  }
  return rows;
}
