import { OnnxAlgebra, softCapNodes, type GraphMatrix } from "../../../layers/onnx/algebra.ts";
import { GraphBuilder } from "../../../layers/onnx/graph-builder.ts";
import { joinHeads, splitHeads } from "../../../layers/onnx/monolithic-graph.ts";
import {
  capAndMask,
  externalParameter,
  mixValues,
  scaledDots,
  type ModelProgram,
} from "../../../layers/onnx/stage-graphs.ts";
import type { WeightFile } from "../../../layers/onnx/weight-file.ts";
import type { Activation } from "../../../layers/model-spec.ts";
import type { AttentionSpec, Projections } from "../../../layers/program.ts";
import { SiteNames } from "../lowering/ranges.ts";

/** What a graph says of a site, output by output: named by the site and one of these. */
export type ObservedSite =
  /** `most`, `least` [rows]: of each row. */
  | { readonly kind: "size"; readonly site: string }
  /** The same, and `square` [rows, groups]: mean squares. */
  | { readonly kind: "norm"; readonly site: string; readonly groups: number }
  /** `columns` [columns]: largest magnitudes over the rows that are observed. */
  | { readonly kind: "columns"; readonly site: string; readonly columns: number }
  /** `most`, `least` [heads, rows] of the visible logits; `first`, `diagonal` [rows, heads]: that of the sequence's first key, of the own. */
  | { readonly kind: "logits"; readonly site: string; readonly heads: number; readonly capped: boolean };

/** A graph that observes: rows in, rows out where another layer follows, and reductions at every site, so that little leaves the runtime. */
export interface ObservingGraph {
  readonly bytes: Uint8Array;
  readonly sites: readonly ObservedSite[];
  /** Does it ask for `observed` [1, 1, rows], 1 where a row is observed and else 0? */
  readonly asksObserved: boolean;
}

/**
 * One layer on sequences that lie one under the other. Inputs: `x` [1, rows, d], `mask` [rows, rows] (0 where visible, else -Infinity), `first`
 * int64 [rows] (the first row of the row's sequence), rotary tables where the model has them. Outputs: `next` [1, rows, d], and the sites'.
 */
export function observingLayerGraph(model: ModelProgram, weights: WeightFile, layer: number): ObservingGraph {
  const { spec, program } = model;
  const observer = new ObservingAlgebra(weights, `layers.${layer}`);
  const x = observer.input("x", spec.width);
  const projections = program.pre(observer, spec, layer, x);
  const attended = observer.attend(program.attention(spec, layer), projections);
  const next = program.post(observer, spec, layer, x, attended);
  observer.size(observer.names.next("out"), next);
  observer.output("next", next);
  return observer.build(`observe.${layer}`);
}

/** The final norm and the LM head: `x` [1, rows, d] in, the sites out. */
export function observingHeadGraph({ spec, program }: ModelProgram, weights: WeightFile): ObservingGraph {
  const observer = new ObservingAlgebra(weights, "head");
  const finished = program.finish(observer, spec, observer.input("x", spec.width));
  observer.size(observer.names.next("out"), finished);
  if (program.logits !== null) observer.size(observer.names.next("out"), program.logits(observer, spec, finished));
  return observer.build("observe.head");
}

/** The ONNX reading of a program, with reductions where SMPC opens values. Sites are named in the order in which the lowering asks for them. */
class ObservingAlgebra extends OnnxAlgebra {
  readonly names: SiteNames;
  readonly #graph: GraphBuilder;
  readonly #sites: ObservedSite[] = [];
  #observed: string | null = null;

  constructor(weights: WeightFile, prefix: string) {
    const graph = new GraphBuilder();
    super(graph, (name, shape) => externalParameter(graph, weights, name, shape));
    this.#graph = graph;
    this.names = new SiteNames(prefix);
  }

  override multiply(x: GraphMatrix, y: GraphMatrix): GraphMatrix {
    for (const operand of [x, y]) this.size(this.names.next("operand"), operand);
    return super.multiply(x, y);
  }

  override softCap(x: GraphMatrix, cap: number): GraphMatrix {
    this.size(this.names.next("softCap"), x);
    return super.softCap(x, cap);
  }

  override activate(x: GraphMatrix, kind: Activation): GraphMatrix {
    const [graph, site] = [this.#graph, this.names.next("activation")];
    this.#observed ??= graph.input("observed", "float32", [1, 1, "rows"]);
    const observed = x.isTurned ? this.#observed : graph.node("Reshape", [this.#observed, graph.integers([1, -1, 1])]);
    const sizes = graph.node("Mul", [graph.node("Abs", [x.name]), observed]);
    this.#reduced(`${site}.columns`, "ReduceMax", sizes, x.isTurned ? 2 : 1, [x.columns]);
    this.#sites.push({ kind: "columns", site, columns: x.columns });
    return super.activate(x, kind);
  }

  override layerNorm(x: GraphMatrix, gain: string, bias: string | null, epsilon: number): GraphMatrix {
    const graph = this.#graph;
    const rows = this.asRows(x);
    const mean = graph.node("ReduceMean", [rows.name, graph.integers([2])], { keepdims: 1 });
    this.#norm({ ...rows, name: graph.node("Sub", [rows.name, mean]) }, x.columns);
    return super.layerNorm(rows, gain, bias, epsilon);
  }

  override rmsNorm(x: GraphMatrix, gain: string, epsilon: number, width: number): GraphMatrix {
    this.#norm(this.asRows(x), width);
    return super.rmsNorm(x, gain, epsilon, width);
  }

  /** Softmax attention of the sequences, each over itself: [1, rows, heads * headDim]. */
  attend(attention: AttentionSpec, { q, k, v }: Projections<GraphMatrix>): GraphMatrix {
    const graph = this.#graph;
    const { kvHeads, headDim, heads, scale, softCap } = attention;
    const sites = { logits: this.names.next("logits"), attended: this.names.next("attended") };
    const rows = [q, k, v].map((value) => this.asRows(value));
    const split = splitHeads(graph, attention, rows[0], rows[1], rows[2]);
    const mask = graph.input("mask", "float32", ["rows", "keys"]);
    const first = graph.input("first", "int64", ["rows"]);
    const dots = scaledDots(graph, attention, split.q, split.k); // [kvHeads, group, rows, keys]
    const logits = capAndMask(graph, attention, dots, mask);
    const ends = (name: string, masked: string, plain: string): void => {
      this.#reduced(`${sites.logits}.most${name}`, "ReduceMax", masked, 3, [kvHeads, heads / kvHeads, "rows"]);
      const above = graph.node("Sub", [plain, mask]); // Infinity where hidden
      this.#reduced(`${sites.logits}.least${name}`, "ReduceMin", above, 3, [kvHeads, heads / kvHeads, "rows"]);
    };
    const capped = (value: string): string => (softCap === null ? value : softCapNodes(graph, value, softCap));
    ends("", logits, capped(dots));
    if (softCap !== null) ends(".uncapped", graph.node("Add", [dots, mask]), dots);
    const own = (name: string, keys: string): void => {
      const product = graph.node("Mul", [split.q, keys]); // [rows, kvHeads, group, headDim]
      const dot = graph.node("ReduceSum", [product, graph.integers([3])], { keepdims: 0 });
      const logit = capped(graph.node("Mul", [dot, graph.scalar(scale)]));
      graph.output(`${sites.logits}.${name}`, logit, "float32", ["rows", kvHeads, heads / kvHeads]);
    };
    own("diagonal", split.k);
    own("first", graph.node("Gather", [split.k, first], { axis: 0 }));
    this.#sites.push({ kind: "logits", site: sites.logits, heads, capped: softCap !== null });

    const weights = graph.node("Softmax", [logits], { axis: -1 });
    const attended = joinHeads(graph, { ...attention, headDim }, mixValues(graph, weights, split.v));
    this.size(sites.attended, attended);
    return attended;
  }

  /** Notes the largest and the smallest element of each row. */
  size(site: string, x: GraphMatrix): void {
    this.#ends(site, x);
    this.#sites.push({ kind: "size", site });
  }

  #norm(rows: GraphMatrix, width: number): void {
    const [graph, site] = [this.#graph, this.names.next("norm")];
    this.#ends(site, rows);
    const groups = graph.node("Reshape", [rows.name, graph.integers([0, -1, rows.columns / width, width])]);
    const square = graph.node("Mul", [groups, groups]);
    this.#reduced(`${site}.square`, "ReduceMean", square, 3, [1, "rows", rows.columns / width]);
    this.#sites.push({ kind: "norm", site, groups: rows.columns / width });
  }

  #ends(site: string, x: GraphMatrix): void {
    const axis = x.isTurned ? 1 : 2;
    this.#reduced(`${site}.most`, "ReduceMax", x.name, axis, [1, "rows"]);
    this.#reduced(`${site}.least`, "ReduceMin", x.name, axis, [1, "rows"]);
  }

  #reduced(name: string, operator: string, x: string, axis: number, shape: readonly (number | string)[]): void {
    const axes = name.endsWith(".columns") ? [0, axis] : [axis];
    const value = this.#graph.node(operator, [x, this.#graph.integers(axes)], { keepdims: 0 });
    this.#graph.output(name, value, "float32", shape);
  }

  input(name: string, columns: number): GraphMatrix {
    return { name: this.#graph.input(name, "float32", [1, "rows", columns]), columns, isTurned: false };
  }

  output(name: string, value: GraphMatrix): void {
    this.#graph.output(name, this.asRows(value).name, "float32", [1, "rows", value.columns]);
  }

  build(name: string): ObservingGraph {
    return { bytes: this.#graph.build(name), sites: this.#sites, asksObserved: this.#observed !== null };
  }
}
