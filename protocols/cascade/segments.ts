/** A maximal run of layers [from, to) that are computed in one way. */
export interface Segment {
  readonly kind: "smpc" | "cascade";
  readonly from: number;
  readonly to: number;
}

/** The runs of a model's layers, in order: those in `underSmpc` (ascending) as SMPC, the others as Cascade. Throws RangeError for a layer that there isn't. */
export function segmentsOf(layers: number, underSmpc: readonly number[]): readonly Segment[] {
  const wrong = underSmpc.find((layer, at) => layer < 0 || layer >= layers || (at > 0 && layer <= underSmpc[at - 1]));
  if (wrong !== undefined)
    throw new RangeError(`smpc layers: expected ascending layers of 0 to ${layers - 1}, got ${wrong}`);
  const segments: Segment[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const kind = underSmpc.includes(layer) ? "smpc" : "cascade";
    const last = segments.at(-1);
    if (last?.kind === kind) segments[segments.length - 1] = { ...last, to: layer + 1 };
    else segments.push({ kind, from: layer, to: layer + 1 });
  }
  return segments;
}
