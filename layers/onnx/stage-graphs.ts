import type { Model } from "../model.ts";
import type { AttentionSpec } from "../program.ts";
import { OnnxAlgebra, softCapNodes, type GraphMatrix, type GraphParameter } from "./algebra.ts";
import { GraphBuilder, MICROSOFT } from "./graph-builder.ts";
import type { WeightFile } from "./weight-file.ts";

/** The program of a model, all that a graph is made of. */
export type ModelProgram = Pick<Model, "spec" | "program">;

/** ids, positions -> x [1, rows, d] */
export function embedGraph({ spec, program }: ModelProgram, weights: WeightFile): Uint8Array {
  const stage = startGraph(weights);
  stage.output("x", program.embed(stage.algebra, spec));
  return stage.graph.build("embed");
}

/** x [1, rows, d], rotary tables where the model has them -> q, k, v */
export function preGraph({ spec, program }: ModelProgram, weights: WeightFile, layer: number): Uint8Array {
  const stage = startGraph(weights);
  const { q, k, v } = program.pre(stage.algebra, spec, layer, stage.input("x", spec.width));
  stage.output("q", q);
  stage.output("k", k);
  stage.output("v", v);
  return stage.graph.build(`pre.${layer}`);
}

/** x [1, rows, d], attended [1, rows, heads·headDim] -> next [1, rows, d] */
export function postGraph({ spec, program }: ModelProgram, weights: WeightFile, layer: number): Uint8Array {
  const stage = startGraph(weights);
  const [x, attended] = [stage.input("x", spec.width), stage.input("attended", spec.heads * spec.headDim)];
  stage.output("next", program.post(stage.algebra, spec, layer, x, attended));
  return stage.graph.build(`post.${layer}`);
}

/** x [1, rows, d] -> finished [1, rows, d]; null where the model has no final norm */
export function finishGraph({ spec, program }: ModelProgram, weights: WeightFile): Uint8Array | null {
  const stage = startGraph(weights);
  const x = stage.input("x", spec.width);
  const finished = program.finish(stage.algebra, spec, x);
  if (finished === x) return null;
  stage.output("finished", finished);
  return stage.graph.build("finish");
}

/** finished [1, rows, d] -> logits [1, rows, vocabulary]; null where the model has no head */
export function logitsGraph({ spec, program }: ModelProgram, weights: WeightFile): Uint8Array | null {
  const stage = startGraph(weights);
  if (program.logits === null) return null;
  stage.output("logits", program.logits(stage.algebra, spec, stage.input("finished", spec.width)));
  return stage.graph.build("logits");
}

/**
 * Partial attention; needs no weights. Heads are split by the shapes that the inputs come in, so no node moves them:
 * q [rows, kvHeads, group, headDim], k and v [keys, kvHeads, 1, headDim], mask [rows, keys] (0 where visible, else -Infinity)
 * -> u [rows, kvHeads, group, headDim], m and e [rows, kvHeads, group, 1].
 */
export function attendGraph(attention: AttentionSpec): Uint8Array {
  const graph = new GraphBuilder();
  const { kvHeads, headDim } = attention;
  const group = attention.heads / kvHeads;
  const q = graph.input("q", "float32", ["rows", kvHeads, group, headDim]);
  const k = graph.input("k", "float32", ["keys", kvHeads, 1, headDim]);
  const v = graph.input("v", "float32", ["keys", kvHeads, 1, headDim]);
  const mask = graph.input("mask", "float32", ["rows", "keys"]);
  const logits = capAndMask(graph, attention, scaledDots(graph, attention, q, k), mask); // [kvHeads, group, rows, keys]
  const m = graph.node("ReduceMax", [logits, graph.integers([-1])], { keepdims: 1 }); // [kvHeads, group, rows, 1]
  // Where nothing is visible m is -Infinity, and -Infinity less itself would be NaN.
  const finite = graph.node("Max", [m, graph.scalar(LEAST)]);
  const weights = graph.node("Exp", [graph.node("Sub", [logits, finite])]); // [kvHeads, group, rows, keys]
  const e = graph.node("ReduceSum", [weights, graph.integers([-1])], { keepdims: 1 });
  const mixed = mixValues(graph, weights, v); // [kvHeads, group, rows, headDim]
  const output = (name: string, value: string, columns: number): void =>
    graph.output(name, graph.node("Transpose", [value], { perm: [2, 0, 1, 3] }), "float32", [
      "rows",
      kvHeads,
      group,
      columns,
    ]);
  output("u", mixed, headDim);
  output("m", m, 1);
  output("e", e, 1);
  return graph.build("attend");
}

/** Just above the least finite float32. */
const LEAST = -3.4e38;

/** scale · q·k by heads split in the shapes: [rows, kvHeads, group, headDim], [keys, kvHeads, 1, headDim] -> [kvHeads, group, rows, keys] */
export function scaledDots(graph: GraphBuilder, attention: AttentionSpec, q: string, k: string): string {
  const attributes = { transBatchA: 1, transBatchB: 1, transB: 1, alpha: { float: attention.scale } };
  return graph.node("FusedMatMul", [q, k], attributes, MICROSOFT);
}

/** Soft-capped where the model does so, then masked (the mask is added). */
export function capAndMask(graph: GraphBuilder, attention: AttentionSpec, dots: string, mask: string): string {
  const capped = attention.softCap === null ? dots : softCapNodes(graph, dots, attention.softCap);
  return graph.node("Add", [capped, mask]);
}

/** [kvHeads, group, rows, keys] by values [keys, kvHeads, 1, headDim] -> [kvHeads, group, rows, headDim] */
export function mixValues(graph: GraphBuilder, weights: string, v: string): string {
  return graph.node("FusedMatMul", [weights, v], { transBatchB: 1 }, MICROSOFT);
}

/** A graph being made from a program. */
export interface GraphInProgress {
  readonly graph: GraphBuilder;
  readonly algebra: OnnxAlgebra;
  /** An input [1, rows, columns]. */
  readonly input: (name: string, columns: number) => GraphMatrix;
  /** Makes a value an output [1, rows, columns]. */
  readonly output: (name: string, value: GraphMatrix) => void;
}

/** An empty graph, with the algebra that fills it. */
export function startGraph(weights: WeightFile): GraphInProgress {
  const graph = new GraphBuilder();
  const algebra = new OnnxAlgebra(graph, (name, shape) => externalParameter(graph, weights, name, shape));
  return {
    graph,
    algebra,
    input: (name, columns) => ({ name: graph.input(name, "float32", [1, "rows", columns]), columns, isTurned: false }),
    output: (name, value) => graph.output(name, algebra.asRows(value).name, "float32", [1, "rows", value.columns]),
  };
}

/** A parameter that stays in the weight file; `shape` sees its elements in another shape. */
export function externalParameter(
  graph: GraphBuilder,
  weights: WeightFile,
  name: string,
  shape?: readonly number[],
): GraphParameter {
  const range = weights.ranges.get(name);
  if (range === undefined) throw new Error(`parameter ${name}: expected it in ${weights.path}, got none of that name`);
  const seen = shape ?? range.shape;
  return {
    name: graph.external(shape === undefined ? name : `${name} as ${shape.join(" x ")}`, seen, range),
    shape: seen,
  };
}
