/** What the client computes of a layer, in float64 on typed arrays: everything but the products with matrices. */
import { ACTIVATE } from "../../../layers/reference/algebra.ts";
import type { ClientFactors } from "../plan/gate.ts";
import { attendRows } from "./attend-rows.ts";
import type { Operation } from "./operation.ts";

/** What an operation works with beside its inputs. */
export interface OperationSetting {
  /** Of its first input. */
  readonly rows: number;
  readonly model: Pick<ClientFactors, "vector">;
  /** K and V by key. */
  readonly kept: Map<string, Float64Array>;
}

/** The result of an operation on `inputs`, each [rows, columns]. Throws Error where rows that it needs were not kept. */
export function evaluateOperation(
  operation: Operation,
  inputs: readonly Float64Array[],
  { rows, model, kept }: OperationSetting,
): Float64Array {
  const [x, y] = inputs;
  switch (operation.name) {
    case "norm": {
      const { gain, bias } = operation;
      return normed(x, operation, model.vector(gain), bias === null ? null : model.vector(bias));
    }
    case "activation":
      return activated(x, ACTIVATE[operation.kind]);
    case "soft-cap":
      return activated(x, (value) => operation.cap * Math.tanh(value / operation.cap));
    case "scale":
      return scaled(x, operation.factor);
    case "add":
      return sum(x, y);
    case "multiply":
      return product(x, y);
    case "add-bias":
      return biased(x, model.vector(operation.bias));
    case "rotate":
      return rotated(x, rows, operation);
    case "attention": {
      const [q, k, v] = inputs;
      const { spec, key, past, firstPosition, prefix } = operation;
      const before = past + (prefix?.rows ?? 0);
      const [keys, values] = (["k", "v"] as const).map((part, at) => {
        const name = `${key}.${part}`;
        if (past === 0 && prefix !== null) kept.set(name, Float64Array.from(model.vector(prefix[part])));
        const all = joined(name, at === 0 ? k : v, rows, before, kept);
        kept.set(name, all);
        return all;
      });
      return attendRows(spec, { q, k: keys, v: values, firstQuery: firstPosition, firstKey: firstPosition - before });
    }
  }
}

// Loops, since `map` makes an object of every number: at 128 rows of BERT-base 10 MB for one activation.

function activated(x: Float64Array, of: (value: number) => number): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at++) out[at] = of(x[at]);
  return out;
}

function scaled(x: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at++) out[at] = x[at] * factor;
  return out;
}

function sum(x: Float64Array, y: Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at++) out[at] = x[at] + y[at];
  return out;
}

function product(x: Float64Array, y: Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at++) out[at] = x[at] * y[at];
  return out;
}

function biased(x: Float64Array, bias: Float32Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += bias.length)
    for (let i = 0; i < bias.length; i++) out[from + i] = x[from + i] + bias[i];
  return out;
}

function joined(
  key: string,
  added: Float64Array,
  rows: number,
  past: number,
  kept: ReadonlyMap<string, Float64Array>,
): Float64Array {
  if (past === 0) return added;
  const before = kept.get(key);
  const length = (added.length / rows) * past;
  if (before?.length !== length)
    throw new Error(
      `${key}: expected ${length} numbers that the steps before kept, got ${String(before?.length ?? "none")}`,
    );
  const all = new Float64Array(length + added.length);
  all.set(before);
  all.set(added, length);
  return all;
}

function normed(
  x: Float64Array,
  { width, epsilon, centred }: Operation & { name: "norm" },
  gain: Float32Array,
  bias: Float32Array | null,
): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    let mean = 0;
    if (centred) {
      for (let i = from; i < from + width; i++) mean += x[i];
      mean /= width;
    }
    let squares = 0;
    for (let i = from; i < from + width; i++) squares += (x[i] - mean) ** 2;
    const factor = 1 / Math.sqrt(squares / width + epsilon);
    for (let i = 0; i < width; i++)
      out[from + i] =
        (x[from + i] - mean) * factor * gain[i % gain.length] + (bias === null ? 0 : bias[i % bias.length]);
  }
  return out;
}

/** Each head [headDim] as headDim / 2 pairs (i, i + headDim / 2), turned by position * inverseFrequencies[i]. */
function rotated(
  x: Float64Array,
  rows: number,
  { headDim, inverseFrequencies, firstPosition }: Operation & { name: "rotate" },
): Float64Array {
  const out = new Float64Array(x.length);
  const half = headDim / 2;
  const columns = x.length / rows;
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < half; i++) {
      const angle = (firstPosition + row) * inverseFrequencies[i];
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let head = row * columns; head < (row + 1) * columns; head += headDim) {
        const [a, b] = [x[head + i], x[head + half + i]];
        out[head + i] = a * cos - b * sin;
        out[head + half + i] = b * cos + a * sin;
      }
    }
  return out;
}
