import type { AttentionSpec } from "../program.ts";
import type { GraphMatrix } from "./algebra.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { capAndMask, mixValues, scaledDots, startGraph, type ModelProgram } from "./stage-graphs.ts";
import type { WeightFile } from "./weight-file.ts";

/** The mask input of layers with this window. */
export const maskName = (window: number | null): string => `mask.${window ?? "full"}`;

/**
 * The whole model as one graph with ordinary softmax attention, for a text's first tokens or for those after a past.
 *
 * Inputs: what embed and rotation ask for; a mask [rows, past + rows] for each distinct window; `wanted` int64 [wanted], the rows to
 * score; with a past `past.k.L`, `past.v.L` [past, kvHeads, 1, headDim] and `sizes` int64 [2] = past, rows. Outputs: `k.L`, `v.L` of
 * the new rows alone, `hidden.I` [1, rows, d] as transformers counts them, `logits` [1, wanted, vocabulary].
 * The cache stays with the caller and isn't copied: past and new keys meet in the attention logits. (ONNX Runtime's products can't
 * take a past of no rows, hence two graphs.)
 */
export function monolithicGraph({ spec, program }: ModelProgram, weights: WeightFile, hasPast: boolean): Uint8Array {
  const { graph, algebra, output } = startGraph(weights);
  const sizes = hasPast ? graph.input("sizes", "int64", [2]) : null;
  const masks = new Map(
    [...new Set(spec.windows)].map((window) => [
      window,
      graph.input(maskName(window), "float32", ["maskRows", "maskKeys"]),
    ]),
  );
  let x = program.embed(algebra, spec); // [1, rows, d]
  output("hidden.0", x);
  for (let layer = 0; layer < spec.layers; layer++) {
    const attention = program.attention(spec, layer);
    const projected = program.pre(algebra, spec, layer, x);
    const [q, k, v] = [projected.q, projected.k, projected.v].map((value) => algebra.asRows(value));
    const heads = splitHeads(graph, attention, q, k, v);
    const mask = masks.get(attention.window)!;
    const mixed =
      sizes === null
        ? attend(graph, attention, heads, mask)
        : attendWithPast(graph, attention, layer, heads, mask, sizes);
    const attended = joinHeads(graph, attention, mixed);
    for (const [name, value] of [
      ["k", heads.k],
      ["v", heads.v],
    ] as const) {
      graph.output(`${name}.${layer}`, value, "float32", ["rows", spec.kvHeads, 1, spec.headDim]);
    }
    x = program.post(algebra, spec, layer, x, attended);
    if (layer + 1 < spec.layers) output(`hidden.${layer + 1}`, x);
  }
  const finished = program.finish(algebra, spec, x);
  output(`hidden.${spec.layers}`, finished);
  if (program.logits !== null) {
    const wanted = graph.input("wanted", "int64", ["wanted"]);
    const rows = { ...finished, name: graph.node("Gather", [algebra.asRows(finished).name, wanted], { axis: 1 }) };
    const logits = program.logits(algebra, spec, rows);
    graph.output("logits", algebra.asRows(logits).name, "float32", [1, "wanted", spec.vocabulary]);
  }
  return graph.build("monolithic");
}

/** Rows by heads. */
export interface Heads {
  /** [rows, kvHeads, group, headDim] */
  readonly q: string;
  /** [rows, kvHeads, 1, headDim] */
  readonly k: string;
  readonly v: string;
}

/** q, k and v rows by heads, so that no node moves them. */
export function splitHeads(
  graph: GraphBuilder,
  { heads, kvHeads, headDim }: AttentionSpec,
  ...rows: GraphMatrix[]
): Heads {
  const group = (size: number): string => graph.integers([-1, kvHeads, size, headDim]);
  const [q, k, v] = rows.map(({ name }, i) => graph.node("Reshape", [name, group(i === 0 ? heads / kvHeads : 1)]));
  return { q, k, v };
}

/** Softmax attention among the rows: [kvHeads, group, rows, headDim] */
function attend(graph: GraphBuilder, attention: AttentionSpec, { q, k, v }: Heads, mask: string): string {
  const logits = capAndMask(graph, attention, scaledDots(graph, attention, q, k), mask); // [kvHeads, group, rows, rows]
  return mixValues(graph, graph.node("Softmax", [logits], { axis: -1 }), v);
}

/** Softmax attention of the rows over past and rows: [kvHeads, group, rows, headDim] */
function attendWithPast(
  graph: GraphBuilder,
  attention: AttentionSpec,
  layer: number,
  { q, k, v }: Heads,
  mask: string,
  sizes: string,
): string {
  const cache = (name: string): string =>
    graph.input(name, "float32", ["past", attention.kvHeads, 1, attention.headDim]);
  const [pastK, pastV] = [cache(`past.k.${layer}`), cache(`past.v.${layer}`)];
  const dots = graph.node("Concat", [scaledDots(graph, attention, q, pastK), scaledDots(graph, attention, q, k)], {
    axis: 3,
  });
  const probabilities = graph.node("Softmax", [capAndMask(graph, attention, dots, mask)], { axis: -1 }); // [kvHeads, group, rows, past + rows]
  const [onPast, onNew] = graph.nodes("Split", [probabilities, sizes], 2, { axis: 3 });
  return graph.node("Add", [mixValues(graph, onPast, pastV), mixValues(graph, onNew, v)]);
}

/** [kvHeads, group, rows, headDim] -> [1, rows, heads·headDim] */
export function joinHeads(graph: GraphBuilder, { heads, headDim }: AttentionSpec, mixed: string): GraphMatrix {
  const columns = heads * headDim;
  const byRows = graph.node("Transpose", [mixed], { perm: [2, 0, 1, 3] }); // [rows, kvHeads, group, headDim]
  return { name: graph.node("Reshape", [byRows, graph.integers([1, -1, columns])]), columns, isTurned: false };
}
