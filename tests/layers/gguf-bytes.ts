/** A metadata value as it is written: type number of the format, then its bytes. */
export interface GgufField {
  readonly type: number;
  readonly bytes: Buffer;
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const uint64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

const float32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
};

/** A string: its length in 8 bytes, then UTF-8. */
export const text = (value: string): Buffer => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);

export const u32 = (value: number): GgufField => ({ type: 4, bytes: uint32(value) });
export const f32 = (value: number): GgufField => ({ type: 6, bytes: float32(value) });
export const bool = (value: boolean): GgufField => ({ type: 7, bytes: Buffer.of(value ? 1 : 0) });
export const string = (value: string): GgufField => ({ type: 8, bytes: text(value) });
/** An array of fields, which all are of the first one's type. */
export const array = (type: number, items: readonly Buffer[]): GgufField => ({
  type: 9,
  bytes: Buffer.concat([uint32(type), uint64(items.length), ...items]),
});
export const strings = (items: readonly string[]): GgufField => array(8, items.map(text));
export const int32s = (items: readonly number[]): GgufField => array(5, items.map(uint32));

export interface GgufTensorParts {
  readonly name: string;
  /** Outermost dimension first. */
  readonly shape: readonly number[];
  /** Number of the ggml type. */
  readonly type: number;
  readonly data: Uint8Array;
  /** In place of the offset that fits. */
  readonly offset?: number | bigint;
}

export interface GgufParts {
  readonly magic?: string;
  readonly version?: number;
  readonly metadata?: readonly (readonly [key: string, field: GgufField])[];
  readonly tensors?: readonly GgufTensorParts[];
  readonly alignment?: number;
  /** In place of the counts that fit. */
  readonly keyCount?: number | bigint;
  readonly tensorCount?: number | bigint;
}

/** A GGUF file of these parts, by the format's description and by nothing of the code under test. */
export function ggufBytes(parts: GgufParts): Buffer {
  const { magic = "GGUF", version = 3, metadata = [], tensors = [], alignment = 32 } = parts;
  const padding = (length: number): Buffer => Buffer.alloc((alignment - (length % alignment)) % alignment);
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let end = 0;
  for (const tensor of tensors) {
    const sizes = [...tensor.shape].reverse();
    const offset = uint64(tensor.offset ?? end);
    infos.push(text(tensor.name), uint32(sizes.length), ...sizes.map(uint64), uint32(tensor.type), offset);
    data.push(Buffer.from(tensor.data), padding(tensor.data.length));
    end += tensor.data.length + padding(tensor.data.length).length;
  }
  const header = Buffer.concat([
    Buffer.from(magic, "latin1"),
    uint32(version),
    uint64(parts.tensorCount ?? tensors.length),
    uint64(parts.keyCount ?? metadata.length),
    ...metadata.flatMap(([key, field]) => [text(key), uint32(field.type), field.bytes]),
    ...infos,
  ]);
  return Buffer.concat([header, padding(header.length), ...data]);
}

/** float32 words as bytes. */
export const floats = (...values: readonly number[]): Buffer => Buffer.concat(values.map(float32));
