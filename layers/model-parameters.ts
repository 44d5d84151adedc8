import { ModelFileError } from "./model-file-error.ts";
import type { ParameterSpec } from "./program.ts";
import type { WeightSource } from "./weight-source.ts";
import { readFiniteRows } from "./weights/finite-rows.ts";

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
  if (source.format === "gguf") refuseUnused(source, found);
  return found;
}

/** Read before the parameters are (it becomes the rope scaling of the config), or a head that isn't run. */
const GGUF_USED_ELSEWHERE = /^(rope_freqs\.weight|cls\..*)$/;

/** A GGUF file has no key for a bias or a norm: that the tensor is there is what says so. One that no parameter takes changes the result. */
function refuseUnused(source: WeightSource, found: ReadonlyMap<string, StoredParameter>): void {
  const used = new Set([...found.values()].map(({ storedName }) => storedName));
  for (const name of source.tensors.keys()) {
    if (used.has(name) || GGUF_USED_ELSEWHERE.test(name)) continue;
    throw new ModelFileError(
      source.files[0],
      `tensor ${name}: expected one that this architecture uses, got one that would change the result; the model isn't run`,
    );
  }
}

/** How a matrix of `linear` lies in memory: [in, out] is canonical, [out, in] what most checkpoints store. */
export type MatrixOrder = "inOut" | "outIn";

/**
 * A parameter, float32, row-major: of shape `spec.shape`, or its transpose for "outIn". Holds that array and one block of rows, no
 * more; a matrix that is stored in the order wanted is read in place.
 * @throws ModelFileError naming the tensor and the place of a value that isn't finite.
 */
export async function loadParameter(
  source: WeightSource,
  parameter: StoredParameter,
  order: MatrixOrder = "inOut",
): Promise<Float32Array> {
  const { spec, storedName } = parameter;
  const target = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  const isStoredOutIn = isTransposed(source, spec);
  if (spec.shape.length === 1) {
    const from = spec.outputs?.[0] ?? 0;
    await readFiniteRows(source, storedName, from, from + spec.shape[0], target);
  } else if (isStoredAs(source, parameter, order)) {
    await readFiniteRows(source, storedName, 0, isStoredOutIn ? spec.shape[1] : spec.shape[0], target);
  } else {
    await readByBlocks(source, parameter, isStoredOutIn, order, target);
  }
  if (spec.plus !== undefined && source.format !== "gguf")
    for (let i = 0; i < target.length; i++) target[i] += spec.plus;
  if (spec.ggufInterleavedHeads !== undefined && source.format === "gguf") {
    const behind = order === "outIn" && spec.shape.length === 2 ? spec.shape[0] : 1;
    restoreHalves(target, spec.shape[spec.shape.length - 1], behind, spec.ggufInterleavedHeads);
  }
  return target;
}

/**
 * What `loadParameter` gives, as consecutive blocks; each is valid until the next is asked for. A matrix that is stored in the order
 * wanted is never in memory as a whole, so that the tables of a large vocabulary aren't.
 */
export async function* parameterBlocks(
  source: WeightSource,
  parameter: StoredParameter,
  order: MatrixOrder,
): AsyncGenerator<Float32Array> {
  const { spec, storedName } = parameter;
  if (!isStoredAs(source, parameter, order) || spec.plus !== undefined) {
    yield await loadParameter(source, parameter, order);
    return;
  }
  const [rows, columns] = order === "outIn" ? spec.shape.toReversed() : spec.shape;
  const heads = source.format === "gguf" ? spec.ggufInterleavedHeads : undefined;
  // Rows of a head are put in order together.
  const unit = heads === undefined ? 1 : rows / heads;
  const step = unit * Math.max(1, Math.floor(BLOCK_ELEMENTS / (unit * columns)));
  const buffer = new Float32Array(Math.min(step, rows) * columns);
  for (let from = 0; from < rows; from += step) {
    const count = Math.min(step, rows - from);
    const block = buffer.subarray(0, count * columns);
    await readFiniteRows(source, storedName, from, from + count, block);
    if (heads !== undefined) restoreHalves(block, count, columns, count / unit);
    yield block;
  }
}

/** Is it a whole stored matrix in this order, whose rows are rows of the file? */
function isStoredAs(source: WeightSource, { spec }: StoredParameter, order: MatrixOrder): boolean {
  return spec.shape.length === 2 && spec.outputs === undefined && isTransposed(source, spec) === (order === "outIn");
}

/** Reads some rows of the stored matrix at a time, takes the outputs wanted of them and writes these in the order wanted. */
async function readByBlocks(
  source: WeightSource,
  { spec, storedName }: StoredParameter,
  isStoredOutIn: boolean,
  order: MatrixOrder,
  target: Float32Array,
): Promise<void> {
  const [inputs, outputs] = spec.shape;
  const firstOutput = spec.outputs?.[0] ?? 0;
  // The part of the stored matrix that is wanted: rows [row0, row0 + rows), columns [column0, column0 + columns).
  const [row0, rows, column0, columns] = isStoredOutIn
    ? [firstOutput, outputs, 0, inputs]
    : [0, inputs, firstOutput, outputs];
  const width = source.tensors.get(storedName)!.shape[1];
  const step = Math.max(1, Math.floor(BLOCK_ELEMENTS / width));
  const block = new Float32Array(Math.min(step, rows) * width);
  const isTurned = isStoredOutIn !== (order === "outIn");
  for (let from = 0; from < rows; from += step) {
    const count = Math.min(step, rows - from);
    await readFiniteRows(source, storedName, row0 + from, row0 + from + count, block.subarray(0, count * width));
    if (isTurned) {
      writeTurned(target, rows, from, block, count, column0, columns, width);
    } else {
      for (let r = 0; r < count; r++)
        target.set(block.subarray(r * width + column0, r * width + column0 + columns), (from + r) * columns);
    }
  }
}

/** Rows of a block become columns [first, first + count) of target [columns, rows], by tiles that fit the cache. */
function writeTurned(
  target: Float32Array,
  rows: number,
  first: number,
  block: Float32Array,
  count: number,
  column0: number,
  columns: number,
  width: number,
): void {
  const tile = 32;
  for (let c0 = 0; c0 < columns; c0 += tile) {
    const cEnd = Math.min(columns, c0 + tile);
    for (let r0 = 0; r0 < count; r0 += tile) {
      const rEnd = Math.min(count, r0 + tile);
      for (let c = c0; c < cEnd; c++) {
        const at = c * rows + first;
        for (let r = r0; r < rEnd; r++) target[at + r] = block[r * width + column0 + c];
      }
    }
  }
}

/**
 * Undoes llama.cpp's permutation of q and k: it stores pair i of a head at 2i and 2i + 1; rotate-half wants i and i + headDim / 2.
 * `data` is [.., outputs, behind].
 */
function restoreHalves(data: Float32Array, outputs: number, behind: number, heads: number): void {
  const [headDim, half] = [outputs / heads, outputs / heads / 2];
  const head = new Float32Array(headDim * behind);
  for (let at = 0; at < data.length; at += head.length) {
    head.set(data.subarray(at, at + head.length));
    for (let i = 0; i < half; i++) {
      data.set(head.subarray(2 * i * behind, (2 * i + 1) * behind), at + i * behind);
      data.set(head.subarray((2 * i + 1) * behind, (2 * i + 2) * behind), at + (half + i) * behind);
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
