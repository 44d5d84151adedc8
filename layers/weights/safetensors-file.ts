import { ModelFileError, printable } from "../model-file-error.ts";
import { openModelFile } from "./byte-range.ts";
import { decodeBfloat16, decodeFloat16 } from "./half-floats.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor of a safetensors file, row-major, in the array of its type (F16 and BF16 decoded to float32). */
export interface FileTensor {
  readonly shape: readonly number[];
  /** As stored: "F32", "I64", ... */
  readonly type: string;
  readonly data: TensorData;
}

/**
 * Reads every tensor of one safetensors file into memory: for golden outputs and recorded views, not for weights.
 * @throws ModelFileError naming the file and the fault.
 */
export async function readSafetensorsFile(path: string): Promise<Map<string, FileTensor>> {
  const file = await openModelFile(path);
  try {
    const tensors = new Map<string, FileTensor>();
    for (const { name, type, shape, offset, bytes } of (await readSafetensorsHeader(file)).tensors.values()) {
      const data = viewAs(type, (await file.read(offset, bytes)).buffer);
      if (data === null)
        throw new ModelFileError(path, `${printable(name)}: expected a type other than ${type}, which can't be read`);
      tensors.set(name, { shape, type, data });
    }
    return tensors;
  } finally {
    await file.close();
  }
}

/** float32 values of a tensor by name, as the golden files hold hidden states and logits. */
export function float32Of(tensors: ReadonlyMap<string, FileTensor>, name: string): Float32Array {
  const found = tensors.get(name);
  if (!(found?.data instanceof Float32Array)) {
    throw new TypeError(
      `tensor ${printable(name)}: expected float32 values, got ${found?.type ?? "none of that name"}`,
    );
  }
  return found.data;
}

/** Integer values of a tensor by name as numbers, as the golden files hold token ids (int32 or int64). */
export function integersOf(tensors: ReadonlyMap<string, FileTensor>, name: string): number[] {
  const found = tensors.get(name);
  if (!(found?.data instanceof BigInt64Array || found?.data instanceof Int32Array)) {
    throw new TypeError(`tensor ${printable(name)}: expected integers, got ${found?.type ?? "none of that name"}`);
  }
  return Array.from(found.data, Number);
}

function viewAs(type: string, buffer: ArrayBuffer): TensorData | null {
  switch (type) {
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return new Float64Array(buffer);
    case "F16":
    case "BF16": {
      const target = new Float32Array(buffer.byteLength / 2);
      (type === "F16" ? decodeFloat16 : decodeBfloat16)(new Uint16Array(buffer), target, 0);
      return target;
    }
    case "I64":
      return new BigInt64Array(buffer);
    case "U64":
      return new BigUint64Array(buffer);
    case "I32":
      return new Int32Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "I16":
      return new Int16Array(buffer);
    case "U16":
      return new Uint16Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U8":
    case "BOOL":
      return new Uint8Array(buffer);
    default:
      return null;
  }
}
