import { readFileSync } from "node:fs";
import type { Words } from "./words.ts";

/** What shares/kernels exports; addresses are bytes, counts are elements. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly add: (out: number, a: number, b: number, count: number) => void;
  readonly subtract: (out: number, a: number, b: number, count: number) => void;
  readonly addScaled: (out: number, a: number, b: number, factor: bigint, count: number) => void;
  readonly scale: (out: number, a: number, factor: bigint, addend: bigint, count: number) => void;
  readonly multiply: (out: number, a: number, b: number, count: number) => void;
  readonly shiftRight: (out: number, x: number, mask: bigint, bits: number, addend: bigint, count: number) => void;
  readonly multiplyColumns: (out: number, x: number, factors: number, rows: number, columns: number) => void;
  readonly addColumns: (out: number, x: number, addends: number, rows: number, columns: number) => void;
  readonly multiplySegments: (out: number, x: number, factors: number, segments: number, width: number) => void;
  readonly sumSegments: (out: number, x: number, segments: number, width: number) => void;
  readonly sumRagged: (out: number, x: number, offsets: number, base: number, segments: number) => void;
  readonly subtractRagged: (
    out: number,
    x: number,
    values: number,
    offsets: number,
    base: number,
    segments: number,
  ) => void;
  readonly centreWords: (masked: number, low: number, bits: number, count: number) => void;
  readonly liftWords: (mask: number, low: number, carries: number, tops: number, bits: number, count: number) => void;
  readonly unpack: (out: number, bytes: number, bits: number, bitOffset: number, count: number) => void;
  readonly subtractPacked: (x: number, bytes: number, bits: number, bitOffset: number, count: number) => void;
  readonly pack: (bytes: number, words: number, bits: number, count: number) => void;
  readonly multiply32: (
    out: number,
    a: number,
    b: number,
    rows: number,
    inner: number,
    columns: number,
    add: number,
  ) => void;
  readonly multiply64: (
    out: number,
    a: number,
    b: number,
    rows: number,
    inner: number,
    columns: number,
    add: number,
  ) => void;
  readonly splitLimb: (
    out: number,
    x: number,
    bias: bigint,
    shift: number,
    mask: bigint,
    half: number,
    count: number,
  ) => void;
  readonly joinLimb: (out: number, sums: number, shift: number, count: number) => void;
  readonly seriesSums: (
    out: number,
    x: number,
    count: number,
    bytes: number,
    bits: number,
    bitOffset: number,
    table: number,
    mask: number,
    quarter: number,
    harmonics: number,
    terms: number,
  ) => void;
  readonly seriesWords: (
    out: number,
    r: number,
    count: number,
    table: number,
    mask: number,
    quarter: number,
    harmonics: number,
    a: number,
    b: number,
    terms: number,
  ) => void;
  readonly packedDots: (
    out: number,
    entries: number,
    count: number,
    width: number,
    bytes: number,
    bits: number,
    bitOffset: number,
  ) => void;
  readonly pickWords: (
    out: number,
    choice: number,
    count: number,
    width: number,
    bytes: number,
    bits: number,
    bitOffset: number,
  ) => void;
}

/** Made from shares/kernels by `npm run build:kernels`. */
const KERNELS = new URL("./kernels/kernels.wasm", import.meta.url);

/** TypeScript has types for it only together with a browser's. */
const { Instance, Module } = (globalThis as unknown as { WebAssembly: WebAssemblyTypes }).WebAssembly;

interface WebAssemblyTypes {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** The kernels in WebAssembly (128-bit SIMD). They compute in a memory of their own that never grows: operands are copied in by tiles. */
export const kernels = new Instance(new Module(readFileSync(KERNELS))).exports as KernelExports;

/** The kernels' memory in views of each kind that it is filled through. */
export const memory = {
  words: new BigUint64Array(kernels.memory.buffer) as Words,
  bytes: new Uint8Array(kernels.memory.buffer),
  integers: new Int32Array(kernels.memory.buffer),
  reals: new Float64Array(kernels.memory.buffer),
};

/** Words in a tile: an operand of 32 KiB, so that three of them stay in the processor's cache. */
export const TILE_WORDS = 4096;

const SLOT_BYTES = TILE_WORDS * 8 + 64;
/** Static data of the compiler lie below. */
const FIRST_SLOT = 1024;

/** Byte addresses of the places for tiles of operands: TILE_WORDS words each, and 64 bytes more. */
export const SLOTS = [0, 1, 2, 3].map((slot) => FIRST_SLOT + slot * SLOT_BYTES);

/** Byte address of the place for tiles of matrices: 1 MiB. */
export const MATRICES = 2 ** 18;

/** Byte address of the place for packed or dealt words, and its bytes but for 64 more. */
export const DEALT = 2 ** 21;
export const DEALT_BYTES = 2 ** 19;

/** Byte address of the place for one table, and its bytes. */
const TABLE = 2 ** 22;
export const TABLE_BYTES = 2 ** 23;

let loaded: Int32Array | Float64Array | null = null;

/** Byte address of a table of at most TABLE_BYTES, copied unless it was the last one; a table must not be written to once it was here. */
export function tableAddress(table: Int32Array | Float64Array): number {
  if (table !== loaded) {
    if (table instanceof Int32Array) memory.integers.set(table, TABLE / 4);
    else memory.reals.set(table, TABLE / 8);
    loaded = table;
  }
  return TABLE;
}
