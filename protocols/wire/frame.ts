/**
 * The frame: a header of 48 bytes, then the payload. All fields little endian; the payload starts 16-aligned in a buffer of its own.
 *
 *     0 magic "WEIR"      4 version u8    5 kind u8    6 word u8    7 role u8
 *     8 session u32      12 layer i16   14 part u16   16 step u32   20 round u32
 *    24 rows u32         28 columns u32  32 sequence u32            36 payloadBytes u32 (of this frame)
 *    40 offsetBytes u32 (of this chunk in the tensor)               44 totalBytes u32 (of the tensor or control message)
 *
 * Kinds: 1 tensor, 2 control (JSON), 3 heartbeat (no payload). Words: 0 none, 1 float64, 2 float32, 3 float16, 4 int32, 5 uint8.
 * Control frames and heartbeats have 0 in every field from word to columns and as offset. Test: tests/protocols/wire/frame.test.ts.
 */
import { FrameError, OversizedError } from "./errors.ts";
import type { WireLimits } from "./limits.ts";
import { MESSAGES, type Role } from "./messages.ts";

export const HEADER_BYTES = 48;
export const FRAME_VERSION = 2;
const MAGIC = 0x52494557; // "WEIR" read as a little-endian word

export type FrameKind = "tensor" | "control" | "heartbeat";
/** What the payload's words are; int32 data and bytes keep their own. */
export type FrameWord = "none" | "float64" | "float32" | "float16" | "int32" | "uint8";

const KINDS = ["", "tensor", "control", "heartbeat"] as const;
const WORDS = ["none", "float64", "float32", "float16", "int32", "uint8"] as const;
const WORD_BYTES: Record<FrameWord, number> = { none: 0, float64: 8, float32: 4, float16: 2, int32: 4, uint8: 1 };
const WORD_CODE: Record<FrameWord, number> = { none: 0, float64: 1, float32: 2, float16: 3, int32: 4, uint8: 5 };
const KIND_CODE: Record<FrameKind, number> = { tensor: 1, control: 2, heartbeat: 3 };
const ROLES: (Role | undefined)[] = [];
for (const [role, message] of Object.entries(MESSAGES)) ROLES[message.code] = role as Role;

/** Bytes of one element on the wire. */
export const frameWordBytes = (word: FrameWord): number => WORD_BYTES[word];

export interface FrameHeader {
  kind: FrameKind;
  word: FrameWord;
  /** Null but for tensors. */
  role: Role | null;
  session: number;
  layer: number;
  part: number;
  step: number;
  round: number;
  rows: number;
  columns: number;
  sequence: number;
  payloadBytes: number;
  offsetBytes: number;
  totalBytes: number;
}

/** Writes `header` into the first 48 bytes of `frame`. */
export function encodeHeader(header: FrameHeader, frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, FRAME_VERSION);
  view.setUint8(5, KIND_CODE[header.kind]);
  view.setUint8(6, WORD_CODE[header.word]);
  view.setUint8(7, header.role === null ? 0 : MESSAGES[header.role].code);
  view.setUint32(8, header.session, true);
  view.setInt16(12, header.layer, true);
  view.setUint16(14, header.part, true);
  view.setUint32(16, header.step, true);
  view.setUint32(20, header.round, true);
  view.setUint32(24, header.rows, true);
  view.setUint32(28, header.columns, true);
  view.setUint32(32, header.sequence, true);
  view.setUint32(36, header.payloadBytes, true);
  view.setUint32(40, header.offsetBytes, true);
  view.setUint32(44, header.totalBytes, true);
}

/** The header of a whole frame, checked in itself. Throws FrameError and OversizedError, naming `peer` and the fault. */
export function decodeHeader(frame: Uint8Array, peer: string | null, limits: WireLimits): FrameHeader {
  if (frame.byteLength < HEADER_BYTES) {
    throw new FrameError(peer, `length: expected at least ${HEADER_BYTES} bytes, got ${frame.byteLength}`);
  }
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC) throw new FrameError(peer, `magic: expected ${hex(MAGIC)}, got ${hex(magic)}`);
  const version = view.getUint8(4);
  if (version !== FRAME_VERSION) throw new FrameError(peer, `version: expected ${FRAME_VERSION}, got ${version}`);
  const kind = KINDS[view.getUint8(5)];
  if (!kind) throw new FrameError(peer, `kind: expected 1, 2 or 3, got ${view.getUint8(5)}`);
  const word = WORDS[view.getUint8(6)];
  if (!word) throw new FrameError(peer, `word: expected 0 to 5, got ${view.getUint8(6)}`);
  const roleCode = view.getUint8(7);
  const header: FrameHeader = {
    kind,
    word,
    role: ROLES[roleCode] ?? null,
    session: view.getUint32(8, true),
    layer: view.getInt16(12, true),
    part: view.getUint16(14, true),
    step: view.getUint32(16, true),
    round: view.getUint32(20, true),
    rows: view.getUint32(24, true),
    columns: view.getUint32(28, true),
    sequence: view.getUint32(32, true),
    payloadBytes: view.getUint32(36, true),
    offsetBytes: view.getUint32(40, true),
    totalBytes: view.getUint32(44, true),
  };
  const present = frame.byteLength - HEADER_BYTES;
  if (header.payloadBytes !== present) {
    throw new FrameError(peer, `payloadBytes: expected the ${present} bytes that follow, got ${header.payloadBytes}`);
  }
  if (kind === "tensor") checkTensor(header, roleCode, peer, limits);
  else checkPlain(header, roleCode, peer, limits);
  return header;
}

function checkTensor(header: FrameHeader, roleCode: number, peer: string | null, limits: WireLimits): void {
  const { word, rows, columns, offsetBytes, payloadBytes, totalBytes } = header;
  if (header.role === null) throw new FrameError(peer, `role: expected a code of messages.ts, got ${roleCode}`);
  if (word === "none") throw new FrameError(peer, "word: expected one for a tensor, got 0");
  if (header.layer < -1 || header.layer >= limits.maxLayers) {
    throw new FrameError(peer, `layer: expected -1 to ${limits.maxLayers - 1}, got ${header.layer}`);
  }
  if (header.round === 0) throw new FrameError(peer, "round: expected 1 or more, got 0");
  const expected = rows * columns * WORD_BYTES[word];
  if (totalBytes !== expected) {
    throw new FrameError(peer, `totalBytes: expected ${expected} for [${rows}, ${columns}] ${word}, got ${totalBytes}`);
  }
  if (totalBytes > limits.maxTensorBytes) {
    throw new OversizedError(
      peer,
      `tensor from ${peer}: expected at most ${limits.maxTensorBytes} bytes (maxTensorBytes), got ${totalBytes}`,
    );
  }
  // A chunk is full unless it is the last one, so the place of every chunk is known and none can be empty or overlap.
  const wanted = Math.min(limits.chunkBytes, totalBytes - offsetBytes);
  if (offsetBytes % limits.chunkBytes !== 0 || wanted < 0 || (offsetBytes > 0 && wanted === 0)) {
    throw new FrameError(
      peer,
      `offsetBytes: expected a multiple of ${limits.chunkBytes} in ${totalBytes} bytes, got ${offsetBytes}`,
    );
  }
  if (payloadBytes !== wanted) {
    throw new FrameError(
      peer,
      `payloadBytes: expected ${wanted} at offset ${offsetBytes} of ${totalBytes}, got ${payloadBytes}`,
    );
  }
}

function checkPlain(header: FrameHeader, roleCode: number, peer: string | null, limits: WireLimits): void {
  const { kind, word, session, layer, part, step, round, rows, columns, offsetBytes, payloadBytes, totalBytes } =
    header;
  if (word !== "none" || roleCode || session || layer || part || step || round || rows || columns || offsetBytes) {
    throw new FrameError(peer, `${kind} header: expected 0 in every tensor field, got another value`);
  }
  const most = kind === "control" ? limits.maxControlBytes : 0;
  if (payloadBytes > most) {
    throw new OversizedError(peer, `${kind} message from ${peer}: expected at most ${most} bytes, got ${payloadBytes}`);
  }
  if (totalBytes !== payloadBytes)
    throw new FrameError(peer, `totalBytes: expected ${payloadBytes}, got ${totalBytes}`);
}

const hex = (word: number): string => `0x${word.toString(16).padStart(8, "0")}`;

/** Bytes of a WebSocket frame header (RFC 6455, section 5.2) before `length` bytes; clients mask, which takes four more. */
export function webSocketHeaderBytes(length: number, masked: boolean): number {
  return (length < 126 ? 2 : length < 65_536 ? 4 : 10) + (masked ? 4 : 0);
}
