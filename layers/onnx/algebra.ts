import type { Activation, Rope } from "../model-spec.ts";
import type { Algebra } from "../program.ts";
import { MICROSOFT, type GraphBuilder } from "./graph-builder.ts";

/**
 * A value of a graph: a matrix [1, rows, columns], or turned [1, columns, rows]. The leading 1 is what the fused rotary operator wants.
 * Products give turned values (see WeightFile), norms and rotation need rows; elementwise operations take what they get.
 */
export interface GraphMatrix {
  readonly name: string;
  readonly columns: number;
  readonly isTurned: boolean;
}

/** A parameter of a graph, declared when it is first used. Matrices of `linear` are [out, in]. */
export interface GraphParameter {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * The ONNX reading of a program: operations become nodes of a graph. What depends on the rows are inputs, declared when first used:
 * `ids` and `positions` int64 [rows], `cos` and `sin` float32 [rows, headDim / 2].
 */
export class OnnxAlgebra implements Algebra<GraphMatrix> {
  readonly #graph: GraphBuilder;
  readonly #parameter: (name: string, shape?: readonly number[]) => GraphParameter;
  readonly #rowInputs = new Set<string>();
  /** The other order of a value, so that each is turned once. */
  readonly #turned = new Map<string, GraphMatrix>();

  /** `parameter` declares a parameter, with another shape of as many elements where one is given. */
  constructor(graph: GraphBuilder, parameter: (name: string, shape?: readonly number[]) => GraphParameter) {
    this.#graph = graph;
    this.#parameter = parameter;
  }

  /** The value as [1, rows, columns]. */
  asRows(x: GraphMatrix): GraphMatrix {
    return x.isTurned ? this.#turn(x) : x;
  }

  lookupTokens(table: string): GraphMatrix {
    return this.#gather(table, this.#rowInput("ids"));
  }

  lookupPositions(table: string, offset: number): GraphMatrix {
    const positions = this.#rowInput("positions");
    return this.#gather(
      table,
      offset === 0 ? positions : this.#graph.node("Add", [positions, this.#graph.integers([offset])]),
    );
  }

  addTableRow(x: GraphMatrix, table: string, index: number): GraphMatrix {
    const rows = this.asRows(x);
    const row = this.#graph.node("Gather", [this.#parameter(table).name, this.#graph.integers([index])], { axis: 0 }); // [1, d]
    return { ...rows, name: this.#graph.node("Add", [rows.name, row]) };
  }

  linear(x: GraphMatrix, weight: string, bias: string | null): GraphMatrix {
    const w = this.#parameter(weight); // [out, in]
    const turned = x.isTurned ? x : this.#turn(x); // [1, in, rows]
    const product = this.#graph.node("MatMul", [w.name, turned.name]); // [1, out, rows]
    const name =
      bias === null ? product : this.#graph.node("Add", [product, this.#parameter(bias, [w.shape[0], 1]).name]);
    return { name, columns: w.shape[0], isTurned: true };
  }

  unembed(x: GraphMatrix, table: string, bias: string | null): GraphMatrix {
    const t = this.#parameter(table); // [out, in]
    // Logits are wide: turning them back would cost more than the product gains.
    const product = this.#graph.node("FusedMatMul", [this.asRows(x).name, t.name], { transB: 1 }, MICROSOFT); // [1, rows, out]
    const name = bias === null ? product : this.#graph.node("Add", [product, this.#parameter(bias).name]);
    return { name, columns: t.shape[0], isTurned: false };
  }

  add(x: GraphMatrix, y: GraphMatrix): GraphMatrix {
    return this.#pairwise("Add", x, y);
  }

  multiply(x: GraphMatrix, y: GraphMatrix): GraphMatrix {
    return this.#pairwise("Mul", x, y);
  }

  scale(x: GraphMatrix, factor: number): GraphMatrix {
    return { ...x, name: this.#graph.node("Mul", [x.name, this.#graph.scalar(factor)]) };
  }

  softCap(x: GraphMatrix, cap: number): GraphMatrix {
    return { ...x, name: softCapNodes(this.#graph, x.name, cap) };
  }

  activate(x: GraphMatrix, kind: Activation): GraphMatrix {
    return { ...x, name: ACTIVATE[kind](this.#graph, x.name) };
  }

  layerNorm(x: GraphMatrix, gain: string, bias: string | null, epsilon: number): GraphMatrix {
    const rows = this.asRows(x);
    const inputs = [rows.name, this.#parameter(gain).name, ...(bias === null ? [] : [this.#parameter(bias).name])];
    return { ...rows, name: this.#graph.node("LayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } }) };
  }

  rmsNorm(x: GraphMatrix, gain: string, epsilon: number, width: number): GraphMatrix {
    const [graph, rows] = [this.#graph, this.asRows(x)];
    const norm = (value: string): string =>
      graph.node("SimplifiedLayerNormalization", [value, this.#parameter(gain).name], {
        axis: -1,
        epsilon: { float: epsilon },
      });
    if (width === x.columns) return { ...rows, name: norm(rows.name) };
    const groups = graph.node("Reshape", [rows.name, graph.integers([0, 0, -1, width])]); // [1, rows, groups, width]
    return { ...rows, name: graph.node("Reshape", [norm(groups), graph.integers([0, 0, x.columns])]) };
  }

  rotate(x: GraphMatrix, _rope: Rope, headDim: number): GraphMatrix {
    const rows = this.asRows(x);
    const [cos, sin] = [this.#rowInput("cos", headDim / 2), this.#rowInput("sin", headDim / 2)];
    // The tables hold these rows alone, in order: row r is the operator's position r.
    const inputs = [rows.name, this.#graph.integers([0]), cos, sin];
    return { ...rows, name: this.#graph.node("RotaryEmbedding", inputs, { interleaved: 0 }, MICROSOFT) };
  }

  #pairwise(operator: string, x: GraphMatrix, y: GraphMatrix): GraphMatrix {
    const same = x.isTurned === y.isTurned;
    const [a, b] = same ? [x, y] : [this.asRows(x), this.asRows(y)];
    return { ...a, name: this.#graph.node(operator, [a.name, b.name]) };
  }

  #turn(x: GraphMatrix): GraphMatrix {
    const known = this.#turned.get(x.name);
    if (known !== undefined) return known;
    const turned = { ...x, name: this.#graph.node("Transpose", [x.name], { perm: [0, 2, 1] }), isTurned: !x.isTurned };
    this.#turned.set(x.name, turned);
    this.#turned.set(turned.name, x);
    return turned;
  }

  #gather(name: string, indices: string): GraphMatrix {
    const table = this.#parameter(name); // [entries, d]
    const found = this.#graph.node("Gather", [table.name, indices], { axis: 0 }); // [rows, d]
    const rows = this.#graph.node("Unsqueeze", [found, this.#graph.integers([0])]); // [1, rows, d]
    return { name: rows, columns: table.shape[1], isTurned: false };
  }

  #rowInput(name: "ids" | "positions" | "cos" | "sin", columns?: number): string {
    if (this.#rowInputs.has(name)) return name;
    this.#rowInputs.add(name);
    return columns === undefined
      ? this.#graph.input(name, "int64", ["rows"])
      : this.#graph.input(name, "float32", ["rows", columns]);
  }
}

/** cap · tanh(x / cap) */
export function softCapNodes(graph: GraphBuilder, x: string, cap: number): string {
  const bounded = graph.node("Tanh", [graph.node("Div", [x, graph.scalar(cap)])]);
  return graph.node("Mul", [bounded, graph.scalar(cap)]);
}

const ACTIVATE: Readonly<Record<Activation, (graph: GraphBuilder, x: string) => string>> = {
  gelu: (graph, x) => graph.node("Gelu", [x], { approximate: "none" }),
  geluTanh: (graph, x) => graph.node("Gelu", [x], { approximate: "tanh" }),
  silu: (graph, x) => graph.node("QuickGelu", [x], { alpha: { float: 1 } }, MICROSOFT), // x · sigmoid(x)
  relu: (graph, x) => graph.node("Relu", [x]),
};
