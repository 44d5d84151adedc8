/** A dense row-major tensor: the element type is the reading's word (float32 for ONNX, float64 for the reference). */
export interface Tensor<A extends FloatArray = FloatArray> {
  readonly data: A;
  readonly shape: readonly number[];
}

export type FloatArray = Float32Array | Float64Array;

/** The two words a reading computes in. */
export type Word = "float32" | "float64";

/** A zeroed array of `length` elements of the word. */
export function allocate(word: Word, length: number): FloatArray {
  return word === "float32" ? new Float32Array(length) : new Float64Array(length);
}

/** The rows `indices` of `tensor` [rows, columns], in that order: the tensor itself where that is all of it, else a copy. */
export function takeRows(tensor: Tensor, indices: readonly number[]): Tensor {
  const [rows, columns] = tensor.shape;
  if (indices.length === rows && indices.every((row, at) => row === at)) return tensor;
  const data =
    tensor.data instanceof Float32Array
      ? new Float32Array(indices.length * columns)
      : new Float64Array(indices.length * columns);
  indices.forEach((row, at) => data.set(tensor.data.subarray(row * columns, (row + 1) * columns), at * columns));
  return { data, shape: [indices.length, columns] };
}

/** Matrices of equal width, one under the other: the only one itself, a view where they lie so already, else a copy. */
export function stackRows(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0];
  const rows = tensors.reduce((sum, { shape }) => sum + shape[0], 0);
  return { data: concatenate(tensors.map(({ data }) => data)), shape: [rows, tensors[0].shape[1]] };
}

/** The rows [from, to) of `tensor` [rows, columns]: a view. */
export function rowRange({ data, shape: [, columns] }: Tensor, from: number, to: number): Tensor {
  return { data: data.subarray(from * columns, to * columns), shape: [to - from, columns] };
}

/** The elements of some arrays of one word, one after the other: a view where they lie so already, else a copy. */
export function concatenate(parts: readonly FloatArray[]): FloatArray {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const lying = joinedView(parts, length);
  if (lying !== null) return lying;
  const joined = parts[0] instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function joinedView(parts: readonly FloatArray[], length: number): FloatArray | null {
  const [{ buffer, byteOffset }] = parts;
  let end = byteOffset;
  for (const part of parts) {
    if (part.buffer !== buffer || part.byteOffset !== end) return null;
    end += part.byteLength;
  }
  return parts[0] instanceof Float32Array
    ? new Float32Array(buffer, byteOffset, length)
    : new Float64Array(buffer, byteOffset, length);
}
