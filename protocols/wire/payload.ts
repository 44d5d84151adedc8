/** Payload of tensor frames: raw little-endian words, converted only where the wire's word differs from the tensor's. */
import { endianness } from "node:os";
import type { FloatArray } from "../../layers/tensor.ts";
import type { WireTensor, WireWord } from "./endpoint.ts";
import { roundToFloat16, widenFloat16 } from "./float16.ts";
import { frameWordBytes, HEADER_BYTES, type FrameWord } from "./frame.ts";

if (endianness() !== "LE")
  throw new Error("weir: expected a little-endian machine, got a big-endian one; it is not supported");

/** The word that `data` travels in when floats travel in `floats`. */
export function wordOnWire(data: WireTensor["data"], floats: WireWord): FrameWord {
  if (data instanceof Uint8Array) return "uint8";
  return data instanceof Int32Array ? "int32" : floats;
}

/** Writes `data`'s elements that make up bytes [fromByte, fromByte + bytes) of the payload behind the header of `frame`. */
export function packPayload(
  data: WireTensor["data"],
  word: FrameWord,
  frame: Uint8Array,
  fromByte: number,
  bytes: number,
): void {
  if (data.BYTES_PER_ELEMENT === frameWordBytes(word)) {
    frame.set(new Uint8Array(data.buffer, data.byteOffset + fromByte, bytes), HEADER_BYTES);
    return;
  }
  const size = frameWordBytes(word);
  const part = (data as FloatArray).subarray(fromByte / size, (fromByte + bytes) / size);
  const at = frame.byteOffset + HEADER_BYTES;
  if (word === "float16") roundToFloat16(part, new Uint16Array(frame.buffer, at, part.length));
  else if (word === "float32") new Float32Array(frame.buffer, at, part.length).set(part);
  else new Float64Array(frame.buffer, at, part.length).set(part);
}

/** The tensor [rows, columns] in `bytes`, aligned to its words: a view of it, but for float16, which is widened into a new array. */
export function unpackPayload(bytes: Uint8Array, word: FrameWord, rows: number, columns: number): WireTensor {
  const length = rows * columns;
  const shape = [rows, columns] as const;
  const { buffer, byteOffset } = bytes;
  if (word === "float32") return { data: new Float32Array(buffer, byteOffset, length), shape };
  if (word === "float64") return { data: new Float64Array(buffer, byteOffset, length), shape };
  if (word === "int32") return { data: new Int32Array(buffer, byteOffset, length), shape };
  if (word === "uint8") return { data: new Uint8Array(buffer, byteOffset, length), shape };
  return { data: widenFloat16(new Uint16Array(buffer, byteOffset, length)), shape };
}

/**
 * `bytes` on an address aligned to its words: a view where it is one already, else a copy. (A frame of fewer than 64 KiB that arrived
 * in one read is one: its headers take 52 or 56 bytes.) Also copies what would keep a much larger buffer alive, such as a socket's
 * read buffer for a message of 100 bytes.
 */
export function alignPayload(bytes: Uint8Array, word: FrameWord): Uint8Array {
  const wasteful = bytes.buffer.byteLength > 2 * bytes.byteLength + 1024;
  if (bytes.byteOffset % frameWordBytes(word) === 0 && !wasteful) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
