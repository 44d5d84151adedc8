/**
 * What a probe reads of a token: its hidden row, or its query, key and value rows with the position's rotation undone. Where all three
 * are seen together and their projections have full rank, they *are* the normed hidden row, which is solved for.
 */
import type { Model } from "../../../layers/model.ts";
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { Rope } from "../../../layers/model-spec.ts";
import type { RowBatch } from "./layer-walk.ts";
import { whitening } from "./whitening.ts";

/** row: direction of the hidden row; q, k, v: one projection; kv: k and v side by side; normed: the normed row solved for from q, k and v. */
export type RowKind = (typeof ROW_KINDS)[number];

export const ROW_KINDS = ["row", "q", "k", "v", "kv", "normed"] as const;

/** Rows of one kind from what a layer shows. */
export interface RowReader {
  readonly kind: RowKind;
  readonly width: number;
  /** [rows, width] of a batch. Throws RangeError where the batch is of after the last layer, which has no projections. */
  read(batch: RowsSeen): Promise<Float32Array>;
}

/** What a reader needs of a batch. */
export type RowsSeen = Pick<RowBatch, "rows" | "projections" | "positions">;

/** Hidden rows, of any model of this width. */
export const hiddenRows = (width: number): RowReader => ({
  kind: "row",
  width,
  read: async ({ rows }) => directions(rows, width),
});

/** Readers of those of the kinds that the layer has. */
export async function rowReaders(
  model: Model,
  layer: number,
  kinds: readonly RowKind[],
  product: Float64Product,
): Promise<RowReader[]> {
  const readers: RowReader[] = [];
  for (const kind of kinds) {
    const reader = await rowReader(model, layer, kind, product);
    if (reader !== null) readers.push(reader);
  }
  return readers;
}

/**
 * Opens the reader of one kind at one layer; reads the projections' weights for `normed`. null where the model doesn't allow it:
 * after the last layer there are hidden rows alone; projections may be normed again head by head, or not have full rank together.
 */
export async function rowReader(
  model: Model,
  layer: number,
  kind: RowKind,
  product: Float64Product,
): Promise<RowReader | null> {
  const { spec } = model;
  const [queryWidth, keyWidth] = [spec.heads * spec.headDim, spec.kvHeads * spec.headDim];
  if (kind === "row") return hiddenRows(spec.width);
  if (layer === spec.layers) return null;
  const part = (name: "q" | "k" | "v", { projections, positions }: RowsSeen): Float32Array => {
    if (projections === null) throw new RangeError(`${name} rows: expected a layer of the model, got after the last`);
    return name === "v" || spec.rope === null
      ? projections[name]
      : unrotated(projections[name], positions, spec.rope, spec.headDim);
  };
  if (kind === "kv")
    return {
      kind,
      width: 2 * keyWidth,
      read: async (batch) => sideBySide([part("k", batch), part("v", batch)], batch),
    };
  if (kind === "normed") {
    const inverse = await projectionInverse(model, layer, product);
    if (inverse === null) return null;
    return {
      kind,
      width: spec.width,
      read: (batch) => {
        const rows = sideBySide([part("q", batch), part("k", batch), part("v", batch)], batch);
        return solved(product, rows, inverse, spec.width);
      },
    };
  }
  return { kind, width: kind === "q" ? queryWidth : keyWidth, read: async (batch) => part(kind, batch) };
}

/**
 * Rows scaled to a mean square of 1: a model reads its rows through a norm, and the few tokens whose rows are a hundred times as long as
 * others (attention sinks) would else make up most of a covariance.
 */
export function directions(rows: Float32Array | Float64Array, width: number): Float32Array {
  const out = Float32Array.from(rows);
  for (let from = 0; from < out.length; from += width) {
    let square = 0;
    for (let i = from; i < from + width; i++) square += out[i] ** 2;
    if (square === 0) continue;
    const factor = Math.sqrt(width / square);
    for (let i = from; i < from + width; i++) out[i] *= factor;
  }
  return out;
}

/** Rows [rows, heads·headDim] with the rotation of their positions undone (rotate-half form, as layers/program.ts defines it). */
export function unrotated(
  rows: Float32Array | Float64Array,
  positions: readonly number[],
  rope: Rope,
  headDim: number,
): Float32Array {
  const half = headDim / 2;
  const columns = rows.length / positions.length;
  const out = new Float32Array(rows.length);
  positions.forEach((position, row) => {
    for (let i = 0; i < half; i++) {
      const angle = position * rope.inverseFrequencies[i];
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let at = row * columns + i; at < (row + 1) * columns; at += headDim) {
        out[at] = rows[at] * cos + rows[at + half] * sin;
        out[at + half] = rows[at + half] * cos - rows[at] * sin;
      }
    }
  });
  return out;
}

interface ProjectionInverse {
  /** [outputs, d]: Wᵀ (W Wᵀ)⁻¹ of W = [Wq Wk Wv] as [d, outputs]. */
  readonly matrix: Float64Array;
  /** [outputs] */
  readonly bias: Float64Array;
}

async function projectionInverse(
  model: Model,
  layer: number,
  product: Float64Product,
): Promise<ProjectionInverse | null> {
  const { spec } = model;
  if (model.parameters.has(`layers.${layer}.qNorm.weight`)) return null;
  const names = ["q", "k", "v"];
  const widths = [spec.heads, spec.kvHeads, spec.kvHeads].map((heads) => heads * spec.headDim);
  const outputs = widths.reduce((a, b) => a + b, 0);
  if (outputs < spec.width) return null;
  const load = async (what: string, order?: "outIn"): Promise<Float64Array> =>
    Float64Array.from(
      (await Promise.all(names.map((name) => model.load(`layers.${layer}.${name}.${what}`, order)))).flatMap((part) =>
        Array.from(part),
      ),
    );
  const turned = await load("weight", "outIn"); // Wᵀ [outputs, d]
  const bias = spec.qkvBias ? await load("bias") : new Float64Array(outputs);
  const w = new Float64Array(turned.length);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < spec.width; i++) w[i * outputs + o] = turned[o * spec.width + i];
  const gram = await product.times(w, outputs, { data: w, shape: [spec.width, outputs], transposed: true }); // W Wᵀ
  let t: Float64Array;
  try {
    t = whitening(gram, spec.width);
  } catch (error) {
    if (error instanceof RangeError) return null; // not of full rank
    throw error;
  }
  const shape = [spec.width, spec.width] as const;
  const half = await product.times(turned, spec.width, { data: t, shape, transposed: false });
  return { matrix: await product.times(half, spec.width, { data: t, shape, transposed: true }), bias };
}

async function solved(
  product: Float64Product,
  rows: Float32Array,
  { matrix, bias }: ProjectionInverse,
  width: number,
): Promise<Float32Array> {
  const outputs = bias.length;
  const unbiased = Float64Array.from(rows, (value, at) => value - bias[at % outputs]);
  const right = { data: matrix, shape: [outputs, width], transposed: false } as const;
  return Float32Array.from(await product.times(unbiased, outputs, right));
}

function sideBySide(
  parts: readonly Float32Array[],
  { positions }: { readonly positions: readonly number[] },
): Float32Array {
  const rows = positions.length;
  const widths = parts.map((part) => part.length / rows);
  const width = widths.reduce((a, b) => a + b, 0);
  const out = new Float32Array(rows * width);
  let offset = 0;
  parts.forEach((part, i) => {
    for (let row = 0; row < rows; row++)
      out.set(part.subarray(row * widths[i], (row + 1) * widths[i]), row * width + offset);
    offset += widths[i];
  });
  return out;
}
