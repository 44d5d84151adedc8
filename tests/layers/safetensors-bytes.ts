/** A safetensors file with this header (an object, or JSON text that may be malformed) and data, however they fit each other. */
export function safetensorsBytes(header: unknown, data: Uint8Array, length?: bigint): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([size, json, data]);
}

/** An entry of a header. */
export const entry = (dtype: unknown, shape: unknown, begin: unknown, end: unknown): Record<string, unknown> => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
