import { parseJsonObject, type JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import type { ModelFile } from "./byte-range.ts";

/** Bytes of one element of each type that a safetensors file may hold (https://github.com/huggingface/safetensors). */
export const SAFETENSORS_TYPES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    BOOL: 1,
    U8: 1,
    I8: 1,
    F8_E5M2: 1,
    F8_E4M3: 1,
    I16: 2,
    U16: 2,
    F16: 2,
    BF16: 2,
    I32: 4,
    U32: 4,
    F32: 4,
    F64: 8,
    I64: 8,
    U64: 8,
  }),
);

/** The largest header: 25 MB hold some 200 000 tensors; the bound keeps a forged length from becoming an allocation. */
const MAX_HEADER_BYTES = 25_000_000;
/** More dimensions than any model has. */
const MAX_RANK = 8;

export interface SafetensorsEntry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** Absolute place in the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads and checks the header of a safetensors file: an 8-byte little-endian length, a JSON object, then the data, which the
 * tensors' ranges must cover exactly, each range of just the bytes that shape and type need.
 * @throws ModelFileError naming the tensor and the fault.
 */
export async function readSafetensorsHeader(file: ModelFile): Promise<SafetensorsHeader> {
  const fault = (text: string): ModelFileError => new ModelFileError(file.path, text);
  if (file.size < 8) throw fault(`safetensors: expected a header length of 8 bytes, got a file of ${file.size}`);
  const length = new DataView((await file.read(0, 8)).buffer).getBigUint64(0, true);
  if (length < 2n || length > BigInt(Math.min(MAX_HEADER_BYTES, file.size - 8))) {
    const most = Math.min(MAX_HEADER_BYTES, file.size - 8);
    throw fault(
      `safetensors header: expected a length of 2 to ${most} bytes, got ${length}; is it truncated, or another format?`,
    );
  }
  const start = 8 + Number(length);
  const header = parseJsonObject(await file.read(8, Number(length)), file.path);

  const metadata = new Map<string, string>();
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw fault(`${printable(name)}: expected an object, got ${printable(value)}`);
    }
    if (name === "__metadata__") {
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string")
          throw fault(`__metadata__.${printable(key)}: expected a string, got ${typeof text}`);
        metadata.set(key, text);
      }
    } else {
      entries.push(parseEntry(name, value as JsonObject, start, fault));
    }
  }

  entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = start;
  for (const entry of entries) {
    if (entry.offset !== end) {
      const kind = entry.offset < end ? "overlaps the tensor before it" : "leaves a gap before it";
      throw fault(`${printable(entry.name)} ${kind}: expected data at ${end - start}, got ${entry.offset - start}`);
    }
    end += entry.bytes;
  }
  if (end !== file.size) {
    throw fault(
      `size: expected ${end} bytes by the header, got ${file.size}; ${end > file.size ? "truncated" : "trailing bytes"}`,
    );
  }
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata };
}

function parseEntry(name: string, value: JsonObject, start: number, fault: (text: string) => Error): SafetensorsEntry {
  const label = printable(name);
  const { dtype, shape, data_offsets: offsets, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw fault(`${label}: expected dtype, shape and data_offsets, got ${printable(unknown)} too`);
  const width = typeof dtype === "string" ? SAFETENSORS_TYPES.get(dtype) : undefined;
  if (typeof dtype !== "string" || width === undefined) {
    const known = [...SAFETENSORS_TYPES.keys()].join(", ");
    throw fault(`${label}: expected a dtype of ${known}, got ${printable(dtype)}`);
  }
  if (!isSizes(shape) || shape.length > MAX_RANK) {
    const got = printable(shape);
    throw fault(`${label}: expected a shape of at most ${MAX_RANK} sizes below 2^53, got ${got}`);
  }
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    const got = printable(offsets);
    throw fault(`${label}: expected data_offsets [begin, end] with begin <= end, below 2^53, got ${got}`);
  }
  // A product that leaves the safe integers is far beyond any range that offsets can give, so the comparison stays right.
  const bytes = shape.reduce((product, size) => product * size, width);
  const range = offsets[1] - offsets[0];
  if (bytes !== range) {
    throw fault(`${label}: expected ${bytes} bytes for ${dtype} [${shape.join(", ")}], got a range of ${range}`);
  }
  return { name, type: dtype, shape, offset: start + offsets[0], bytes };
}

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0));
