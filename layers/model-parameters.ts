import { ModelFileError } from "./model-file-error.ts";
import type { ParameterSpec } from "./program.ts";
import type { WeightSource } from "./weight-source.ts";

/** Rows decoded at a time while a stored matrix is turned: bounds what is held beside the canonical parameter. */
const BLOCK_ELEMENTS = 1 << 20;

/** Old BERT checkpoints call LayerNorm's weight and bias so. */
const OLD_NAMES = [
  ["LayerNorm.weight", "LayerNorm.gamma"],
  ["LayerNorm.bias", "LayerNorm.beta"],
] as const;

/** A parameter with the stored tensor that it comes from. */
export interface StoredParameter {
  readonly spec: ParameterSpec;
  readonly storedName: string;
}

/**
 * Finds every parameter in a source and checks the stored shapes. Checkpoints of a bare model leave `hfPrefix` out of the names.
 * Throws ModelFileError naming the file and the tensor that is missing or misshapen.
 */
export function findParameters(
  source: WeightSource,
  parameters: readonly ParameterSpec[],
  hfPrefix: string,
): Map<string, StoredParameter> {
  const found = new Map<string, StoredParameter>();
  for (const spec of parameters) {
    const storedName = storedNames(source, spec, hfPrefix).find((name) => source.tensors.has(name));
    if (storedName === undefined) {
      const expected = storedNames(source, spec, hfPrefix).join(" or ");
      throw new ModelFileError(
        source.files[0],
        `tensor for ${spec.name}: expected ${expected || "a name in this format"}, got none; is this checkpoint whole, and of this architecture?`,
      );
    }
    const shape = source.tensors.get(storedName)!.shape;
    if (!fits(shape, spec, isTransposed(source, spec))) {
      throw new ModelFileError(
        source.files[0],
        `tensor ${storedName}: expected what gives ${spec.name} ${show(spec.shape)}${isTransposed(source, spec) ? " transposed" : ""}, got ${show(shape)}`,
      );
    }
    found.set(spec.name, { spec, storedName });
  }
  return found;
}

/** A parameter in canonical form: float32, shape `spec.shape`, row-major. Holds that array and one block of rows, no more. */
export async function loadParameter(source: WeightSource, parameter: StoredParameter): Promise<Float32Array> {
  const { spec, storedName } = parameter;
  const stored = source.tensors.get(storedName)!.shape;
  const target = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  if (spec.shape.length === 1) {
    const [from, to] = spec.outputs ?? [0, spec.shape[0]];
    await source.readRows(storedName, from, to, target);
  } else if (isTransposed(source, spec)) {
    await readTransposed(source, parameter, target);
  } else if (spec.outputs === undefined) {
    await source.readRows(storedName, 0, spec.shape[0], target);
  } else {
    await readColumns(source, parameter, stored[1], target);
  }
  if (spec.plus !== undefined && source.format !== "gguf")
    for (let i = 0; i < target.length; i++) target[i] += spec.plus;
  if (spec.ggufInterleavedHeads !== undefined && source.format === "gguf")
    restoreHalves(target, spec.shape, spec.ggufInterleavedHeads);
  return target;
}

/** Rows [from, to) of outputs, stored [out, in], into target [in, out]. */
async function readTransposed(
  source: WeightSource,
  { spec, storedName }: StoredParameter,
  target: Float32Array,
): Promise<void> {
  const [inputs, outputs] = spec.shape;
  const first = spec.outputs?.[0] ?? 0;
  const step = Math.max(1, Math.floor(BLOCK_ELEMENTS / inputs));
  const block = new Float32Array(Math.min(step, outputs) * inputs);
  for (let from = 0; from < outputs; from += step) {
    const rows = Math.min(step, outputs - from);
    const read = block.subarray(0, rows * inputs);
    await source.readRows(storedName, first + from, first + from + rows, read);
    transposeInto(target, outputs, from, read, rows, inputs);
  }
}

/** Writes block [rows, inputs] as columns [firstColumn, firstColumn + rows) of target [inputs, outputs], by tiles that fit the cache. */
function transposeInto(
  target: Float32Array,
  outputs: number,
  firstColumn: number,
  block: Float32Array,
  rows: number,
  inputs: number,
): void {
  const tile = 32;
  for (let i0 = 0; i0 < inputs; i0 += tile) {
    const iEnd = Math.min(inputs, i0 + tile);
    for (let r0 = 0; r0 < rows; r0 += tile) {
      const rEnd = Math.min(rows, r0 + tile);
      for (let i = i0; i < iEnd; i++) {
        const at = i * outputs + firstColumn;
        for (let r = r0; r < rEnd; r++) target[at + r] = block[r * inputs + i];
      }
    }
  }
}

/** A range of columns of a stored [in, allOut] into target [in, out]. */
async function readColumns(
  source: WeightSource,
  { spec, storedName }: StoredParameter,
  allOut: number,
  target: Float32Array,
): Promise<void> {
  const [inputs, outputs] = spec.shape;
  const [first] = spec.outputs!;
  const step = Math.max(1, Math.floor(BLOCK_ELEMENTS / allOut));
  const block = new Float32Array(Math.min(step, inputs) * allOut);
  for (let from = 0; from < inputs; from += step) {
    const rows = Math.min(step, inputs - from);
    await source.readRows(storedName, from, from + rows, block.subarray(0, rows * allOut));
    for (let r = 0; r < rows; r++) {
      const at = r * allOut + first;
      target.set(block.subarray(at, at + outputs), (from + r) * outputs);
    }
  }
}

/**
 * Undoes llama.cpp's permutation of q and k: it stores pair i of a head at 2i and 2i + 1; rotate-half wants i and i + headDim / 2.
 * `data` is [..., outputs], the outputs last.
 */
function restoreHalves(data: Float32Array, shape: readonly number[], heads: number): void {
  const outputs = shape[shape.length - 1];
  const [headDim, half] = [outputs / heads, outputs / heads / 2];
  const head = new Float32Array(headDim);
  for (let at = 0; at < data.length; at += headDim) {
    head.set(data.subarray(at, at + headDim));
    for (let i = 0; i < half; i++) {
      data[at + i] = head[2 * i];
      data[at + half + i] = head[2 * i + 1];
    }
  }
}

function storedNames(source: WeightSource, spec: ParameterSpec, hfPrefix: string): string[] {
  if (source.format === "gguf") return spec.gguf === null ? [] : [spec.gguf];
  const bare = spec.hf.startsWith(hfPrefix) ? [spec.hf, spec.hf.slice(hfPrefix.length)] : [spec.hf];
  return bare.flatMap((name) => [
    name,
    ...OLD_NAMES.filter(([now]) => name.endsWith(now)).map(([now, old]) => name.replace(now, old)),
  ]);
}

const isTransposed = (source: WeightSource, spec: ParameterSpec): boolean =>
  source.format === "gguf" ? (spec.ggufTransposed ?? spec.transposed) : spec.transposed;

function fits(stored: readonly number[], spec: ParameterSpec, transposed: boolean): boolean {
  const wanted = transposed ? [...spec.shape].reverse() : [...spec.shape];
  if (stored.length !== wanted.length) return false;
  const ranged = spec.outputs === undefined ? -1 : transposed ? 0 : wanted.length - 1;
  return wanted.every((want, axis) => {
    if (axis === ranged) return stored[axis] >= spec.outputs![1];
    return axis === 0 && spec.leadingRows === true ? stored[axis] >= want : stored[axis] === want;
  });
}

const show = (shape: readonly number[]): string => `[${shape.join(", ")}]`;
