import { printable } from "../model-file-error.ts";
import type { ModelFile } from "./byte-range.ts";
import { BLOCK_FORMATS, OTHER_GGML_TYPES, type BlockFormat } from "./ggml-blocks.ts";
import { GgufCursor } from "./gguf-cursor.ts";

/** A value of GGUF metadata; 64-bit integers beyond 2^53 stay bigint, arrays of numbers are typed where they can be. */
export type GgufValue = string | number | bigint | boolean | readonly string[] | readonly boolean[] | GgufNumbers;
export type GgufNumbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

export interface GgufEntry {
  readonly name: string;
  /** Outermost dimension first (the file has them innermost first). */
  readonly shape: readonly number[];
  readonly format: BlockFormat;
  /** Absolute place in the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

// Bounds well above any model's; the key's and the name's are those of the format's description and of ggml (GGML_MAX_NAME).
const MAX_KEYS = 4096;
const MAX_TENSORS = 65_536;
const MAX_KEY_BYTES = 65_535;
const MAX_NAME_BYTES = 64;
const MAX_STRING_BYTES = 16 << 20;
const MAX_ARRAY_LENGTH = 8 << 20;
const MAX_RANK = 4;
const MAX_ALIGNMENT = 1 << 16;
const DEFAULT_ALIGNMENT = 32;

/**
 * Reads and checks the header of a GGUF file, version 2 or 3, little-endian: metadata, then tensor infos, whose data must lie in
 * the file one after the other, each at the next multiple of the alignment, as ggml itself demands (gguf.cpp).
 *
 * Our own, not @huggingface/gguf: that one pads a truncated file with zeros up to the next 2 MB and parses on, lets the last of two
 * equal keys win, and checks neither offsets nor ranges; the tests compare the two on good files.
 * @throws ModelFileError naming the place, the value and the fault.
 */
export function readGgufHeader(file: ModelFile): GgufHeader {
  const cursor = new GgufCursor(file);
  const magic = cursor.bytes(4, "magic").toString("latin1");
  if (magic !== "GGUF") throw cursor.fault(`expected "GGUF" as the first four bytes, got ${printable(magic)}`);
  const version = cursor.uint32("version");
  if (version !== 2 && version !== 3) {
    const bigEndian = version === 0x02000000 || version === 0x03000000;
    throw cursor.fault(`version: expected 2 or 3, got ${bigEndian ? "that of a big-endian file" : version}`);
  }
  const tensorCount = cursor.count(MAX_TENSORS, "tensor count");
  const keyCount = cursor.count(MAX_KEYS, "key count");

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string(MAX_KEY_BYTES, `key ${i}`);
    if (metadata.has(key)) throw cursor.fault(`key ${printable(key)}: expected it once, got it again`);
    metadata.set(key, readValue(cursor, cursor.uint32("value type"), printable(key)));
  }

  const infos: TensorInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < tensorCount; i++) {
    const info = readTensorInfo(cursor, i);
    if (names.has(info.name))
      throw cursor.fault(`tensor ${printable(info.name)}: expected the name once, got it again`);
    names.add(info.name);
    infos.push(info);
  }
  return { metadata, tensors: placeTensors(cursor, infos, readAlignment(cursor, metadata), file.size) };
}

/** Readers of the scalar types, by the number that the file stores (enum gguf_type). 8 is a string, 9 an array. */
const SCALARS: ReadonlyMap<
  number,
  { bytes: number; read: (b: Buffer) => GgufValue; array: (b: ArrayBuffer) => GgufNumbers | null }
> = new Map([
  [0, { bytes: 1, read: (b: Buffer) => b.readUInt8(), array: (b: ArrayBuffer) => new Uint8Array(b) }],
  [1, { bytes: 1, read: (b: Buffer) => b.readInt8(), array: (b: ArrayBuffer) => new Int8Array(b) }],
  [2, { bytes: 2, read: (b: Buffer) => b.readUInt16LE(), array: (b: ArrayBuffer) => new Uint16Array(b) }],
  [3, { bytes: 2, read: (b: Buffer) => b.readInt16LE(), array: (b: ArrayBuffer) => new Int16Array(b) }],
  [4, { bytes: 4, read: (b: Buffer) => b.readUInt32LE(), array: (b: ArrayBuffer) => new Uint32Array(b) }],
  [5, { bytes: 4, read: (b: Buffer) => b.readInt32LE(), array: (b: ArrayBuffer) => new Int32Array(b) }],
  [6, { bytes: 4, read: (b: Buffer) => b.readFloatLE(), array: (b: ArrayBuffer) => new Float32Array(b) }],
  [7, { bytes: 1, read: (b: Buffer) => b.readUInt8() === 1, array: () => null }],
  [
    10,
    { bytes: 8, read: (b: Buffer) => narrow(b.readBigUInt64LE()), array: (b: ArrayBuffer) => new BigUint64Array(b) },
  ],
  [11, { bytes: 8, read: (b: Buffer) => narrow(b.readBigInt64LE()), array: (b: ArrayBuffer) => new BigInt64Array(b) }],
  [12, { bytes: 8, read: (b: Buffer) => b.readDoubleLE(), array: (b: ArrayBuffer) => new Float64Array(b) }],
]);
const STRING = 8;
const ARRAY = 9;
const BOOLEAN = 7;

const narrow = (value: bigint): number | bigint =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;

function readValue(cursor: GgufCursor, type: number, key: string): GgufValue {
  if (type === STRING) return cursor.string(MAX_STRING_BYTES, key);
  if (type === ARRAY) return readArray(cursor, key);
  const scalar = SCALARS.get(type);
  if (!scalar) throw cursor.fault(`${key}: expected a value type of 0 to 12, got ${type}`);
  const bytes = cursor.bytes(scalar.bytes, key);
  if (type === BOOLEAN && bytes[0] > 1) throw cursor.fault(`${key}: expected a boolean of 0 or 1, got ${bytes[0]}`);
  return scalar.read(bytes);
}

function readArray(cursor: GgufCursor, key: string): GgufValue {
  const type = cursor.uint32(key);
  const scalar = SCALARS.get(type);
  if (!scalar && type !== STRING) {
    // ggml refuses arrays of arrays as well (gguf.cpp).
    throw cursor.fault(
      `${key}: expected an array of scalars or strings, got ${type === ARRAY ? "arrays" : `value type ${type}`}`,
    );
  }
  const length = cursor.count(MAX_ARRAY_LENGTH, `length of ${key}`);
  if (!scalar) {
    // Every string has a length of 8 bytes: a forged count ends here, not in an allocation.
    cursor.expectBytes(length * 8, key);
    return Array.from({ length }, (_, i) => cursor.string(MAX_STRING_BYTES, `${key}[${i}]`));
  }
  const bytes = cursor.bytes(length * scalar.bytes, key);
  if (type === BOOLEAN) return Array.from(bytes, (byte) => byte === 1);
  // A copy: the window goes on, and a typed array needs its own alignment.
  return scalar.array(Uint8Array.from(bytes).buffer) ?? [];
}

interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly format: BlockFormat;
  /** From the start of the data. */
  readonly offset: bigint;
  readonly bytes: number;
}

function readTensorInfo(cursor: GgufCursor, index: number): TensorInfo {
  const name = cursor.string(MAX_NAME_BYTES, `name of tensor ${index}`);
  const label = `tensor ${printable(name)}`;
  const rank = cursor.uint32(label);
  if (rank < 1 || rank > MAX_RANK) throw cursor.fault(`${label}: expected 1 to ${MAX_RANK} dimensions, got ${rank}`);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) shape.unshift(cursor.count(Number.MAX_SAFE_INTEGER, `${label}, dimension ${i}`));
  if (shape.includes(0)) throw cursor.fault(`${label}: expected dimensions above 0, got [${shape.join(", ")}]`);
  const type = cursor.uint32(label);
  const format = BLOCK_FORMATS.get(type);
  if (!format) {
    const supported = [...BLOCK_FORMATS.values()].map((known) => known.name).join(", ");
    const got = OTHER_GGML_TYPES.get(type) ?? `number ${type}`;
    throw cursor.fault(`${label}: expected a type of ${supported}, got ${got}; quantise the model to one of these`);
  }
  const columns = shape[shape.length - 1];
  if (columns % format.elements !== 0) {
    throw cursor.fault(
      `${label}: expected rows of whole ${format.name} blocks of ${format.elements}, got rows of ${columns}`,
    );
  }
  // Beyond the safe integers the product is inexact, but still far beyond any file's size.
  const bytes = shape.reduce((product, size) => product * size, format.bytes / format.elements);
  return { name, shape, format, offset: cursor.uint64(label), bytes };
}

function readAlignment(cursor: GgufCursor, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (
    typeof alignment !== "number" ||
    alignment < 8 ||
    alignment > MAX_ALIGNMENT ||
    !Number.isInteger(Math.log2(alignment))
  ) {
    const got = typeof alignment === "object" ? "an array" : printable(String(alignment));
    throw cursor.fault(`general.alignment: expected a power of two of 8 to ${MAX_ALIGNMENT}, got ${got}`);
  }
  return alignment;
}

function placeTensors(
  cursor: GgufCursor,
  infos: readonly TensorInfo[],
  alignment: number,
  fileSize: number,
): ReadonlyMap<string, GgufEntry> {
  const padded = (at: number): number => Math.ceil(at / alignment) * alignment;
  const start = padded(cursor.at);
  let end = 0;
  const entries = infos
    .toSorted((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0))
    .map(({ name, shape, format, offset, bytes }): [string, GgufEntry] => {
      const expected = padded(end);
      if (offset !== BigInt(expected)) {
        const kind =
          offset < BigInt(expected) ? "overlaps the tensor before it or isn't aligned" : "leaves a gap before it";
        throw cursor.fault(`tensor ${printable(name)} ${kind}: expected offset ${expected}, got ${offset}`);
      }
      end = expected + bytes;
      if (start + end > fileSize) {
        throw cursor.fault(
          `tensor ${printable(name)}: expected data up to byte ${start + end}, got a file of ${fileSize}; truncated?`,
        );
      }
      return [name, { name, shape, format, offset: start + expected, bytes }];
    });
  if (fileSize > start + padded(end)) {
    throw cursor.fault(
      `size: expected at most ${start + padded(end)} bytes by the header, got ${fileSize}; trailing bytes`,
    );
  }
  return new Map(entries);
}
