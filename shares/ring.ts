/**
 * The ring kernels that the engine computes with: WebAssembly on tiles of words, plain JavaScript for short arrays. What each means is
 * in ring-reference.ts; figures are in docs/figures.md ("Ring kernels"). Test: tests/shares/ring.test.ts
 */
import { kernels, memory, SLOTS, TILE_WORDS } from "./kernel-memory.ts";
import { ringHalves } from "./ring-halves.ts";
import type { RingKernels } from "./ring-reference.ts";
import { lowBits, type Words } from "./words.ts";

/** Below this many words, copying into the kernels' memory costs more than it saves. */
const FEW_WORDS = 64;

const [FIRST, SECOND, THIRD] = SLOTS;
const FIRST_WORD = FIRST / 8;
const SECOND_WORD = SECOND / 8;

function same(...lengths: number[]): void {
  if (lengths.some((length) => length !== lengths[0]))
    throw new RangeError(`ring kernel: expected operands of one length, got ${lengths.join(", ")}`);
}

/** Copies words [from, to) to the memory, `at` in words. */
function load(words: Words, from: number, to: number, at: number): void {
  memory.words.set(from === 0 && to === words.length ? words : words.subarray(from, to), at);
}

/** Copies words from the first slot to [from, to) of `out`. */
function save(out: Words, from: number, to: number): void {
  out.set(memory.words.subarray(FIRST_WORD, FIRST_WORD + to - from), from);
}

/** Runs `kernel` on tiles of at most `height` units of `width` words of x, from the first slot to the first slot. */
function onTiles(
  out: Words,
  x: Words,
  width: number,
  kernel: (firstUnit: number, endUnit: number) => void,
  keep = width,
): void {
  const units = x.length / width;
  const height = Math.floor(TILE_WORDS / width);
  for (let from = 0; from < units; from += height) {
    const to = Math.min(units, from + height);
    load(x, from * width, to * width, FIRST_WORD);
    kernel(from, to);
    save(out, from * keep, to * keep);
  }
}

/**
 * Calls `run` on groups of whole segments of at most a tile, with their offsets in the third slot. False, and nothing run, if a segment is
 * longer than a tile or offsets don't ascend from 0 to `length`.
 */
function onSegments(offsets: Int32Array, length: number, run: (first: number, end: number) => void): boolean {
  const segments = offsets.length - 1;
  if (offsets[0] !== 0 || offsets[segments] !== length) return false;
  for (let i = 0; i < segments; i++)
    if (!(offsets[i + 1] >= offsets[i] && offsets[i + 1] - offsets[i] <= TILE_WORDS)) return false;
  for (let first = 0, end = 0; first < segments; first = end) {
    while (end < segments && end - first < TILE_WORDS && offsets[end + 1] - offsets[first] <= TILE_WORDS) end++;
    memory.integers.set(offsets.subarray(first, end + 1), THIRD / 4);
    run(first, end);
  }
  return true;
}

const fits = (width: number): boolean => width > 0 && width <= TILE_WORDS;

/** The ring kernels. */
export const ring: RingKernels = {
  ...ringHalves,
  add(out, a, b) {
    if (out.length < FEW_WORDS) return ringHalves.add(out, a, b);
    same(out.length, a.length, b.length);
    onTiles(out, a, 1, (from, to) => {
      load(b, from, to, SECOND_WORD);
      kernels.add(FIRST, FIRST, SECOND, to - from);
    });
  },
  subtract(out, a, b) {
    if (out.length < FEW_WORDS) return ringHalves.subtract(out, a, b);
    same(out.length, a.length, b.length);
    onTiles(out, a, 1, (from, to) => {
      load(b, from, to, SECOND_WORD);
      kernels.subtract(FIRST, FIRST, SECOND, to - from);
    });
  },
  addScaled(out, a, b, factor) {
    if (out.length < FEW_WORDS) return ringHalves.addScaled(out, a, b, factor);
    same(out.length, a.length, b.length);
    onTiles(out, a, 1, (from, to) => {
      load(b, from, to, SECOND_WORD);
      kernels.addScaled(FIRST, FIRST, SECOND, factor, to - from);
    });
  },
  scale(out, a, factor, addend) {
    if (out.length < FEW_WORDS) return ringHalves.scale(out, a, factor, addend);
    same(out.length, a.length);
    onTiles(out, a, 1, (from, to) => kernels.scale(FIRST, FIRST, factor, addend, to - from));
  },
  multiply(out, a, b) {
    if (out.length < FEW_WORDS) return ringHalves.multiply(out, a, b);
    same(out.length, a.length, b.length);
    onTiles(out, a, 1, (from, to) => {
      load(b, from, to, SECOND_WORD);
      kernels.multiply(FIRST, FIRST, SECOND, to - from);
    });
  },
  multiplyColumns(out, x, factors) {
    const columns = factors.length;
    if (out.length < FEW_WORDS || !fits(columns)) return ringHalves.multiplyColumns(out, x, factors);
    same(out.length, x.length);
    load(factors, 0, columns, SECOND_WORD);
    onTiles(out, x, columns, (from, to) => kernels.multiplyColumns(FIRST, FIRST, SECOND, to - from, columns));
  },
  addColumns(out, x, addends) {
    const columns = addends.length;
    if (out.length < FEW_WORDS || !fits(columns)) return ringHalves.addColumns(out, x, addends);
    same(out.length, x.length);
    load(addends, 0, columns, SECOND_WORD);
    onTiles(out, x, columns, (from, to) => kernels.addColumns(FIRST, FIRST, SECOND, to - from, columns));
  },
  multiplySegments(out, x, factors, width) {
    if (width === 1) return ring.multiply(out, x, factors);
    if (out.length < FEW_WORDS || !fits(width)) return ringHalves.multiplySegments(out, x, factors, width);
    same(out.length, x.length, factors.length * width);
    onTiles(out, x, width, (from, to) => {
      load(factors, from, to, SECOND_WORD);
      kernels.multiplySegments(FIRST, FIRST, SECOND, to - from, width);
    });
  },
  sumSegments(out, x, width) {
    if (x.length < FEW_WORDS || !fits(width)) return ringHalves.sumSegments(out, x, width);
    same(x.length, out.length * width);
    onTiles(out, x, width, (from, to) => kernels.sumSegments(FIRST, FIRST, to - from, width), 1);
  },
  sumRagged(out, x, offsets) {
    same(out.length, offsets.length - 1);
    const done =
      x.length >= FEW_WORDS &&
      onSegments(offsets, x.length, (first, end) => {
        load(x, offsets[first], offsets[end], FIRST_WORD);
        kernels.sumRagged(SECOND, FIRST, THIRD, offsets[first], end - first);
        out.set(memory.words.subarray(SECOND_WORD, SECOND_WORD + end - first), first);
      });
    if (!done) ringHalves.sumRagged(out, x, offsets);
  },
  subtractRagged(out, x, values, offsets) {
    same(out.length, x.length);
    same(values.length, offsets.length - 1);
    const done =
      x.length >= FEW_WORDS &&
      onSegments(offsets, x.length, (first, end) => {
        load(x, offsets[first], offsets[end], FIRST_WORD);
        load(values, first, end, SECOND_WORD);
        kernels.subtractRagged(FIRST, FIRST, SECOND, THIRD, offsets[first], end - first);
        save(out, offsets[first], offsets[end]);
      });
    if (!done) ringHalves.subtractRagged(out, x, values, offsets);
  },
  shiftRight(out, x, ringBits, bits, addend) {
    if (out.length < FEW_WORDS || bits >= 64) return ringHalves.shiftRight(out, x, ringBits, bits, addend);
    same(out.length, x.length);
    const mask = lowBits(ringBits);
    onTiles(out, x, 1, (from, to) => kernels.shiftRight(FIRST, FIRST, mask, bits, addend, to - from));
  },
  reduce(out, x, bits) {
    ring.shiftRight(out, x, bits, 0, 0n);
  },
  pack(words, bits) {
    const bytes = new Uint8Array(Math.ceil((words.length * bits) / 8));
    if (bits === 0) return bytes;
    for (let from = 0; from < words.length; from += TILE_WORDS) {
      const to = Math.min(words.length, from + TILE_WORDS);
      load(words, from, to, FIRST_WORD);
      kernels.pack(SECOND, FIRST, bits, to - from);
      // A whole tile takes whole bytes, whatever the bits.
      bytes.set(memory.bytes.subarray(SECOND, SECOND + Math.ceil(((to - from) * bits) / 8)), (from * bits) / 8);
    }
    return bytes;
  },
  unpack(out, bytes, bits, bitOffset) {
    if (bitOffset + out.length * bits > bytes.length * 8)
      throw new RangeError(`unpack: expected ${bitOffset + out.length * bits} bits, got ${bytes.length * 8}`);
    if (bits === 0) return void out.fill(0n);
    for (let from = 0; from < out.length; from += TILE_WORDS) {
      const to = Math.min(out.length, from + TILE_WORDS);
      const firstBit = bitOffset + from * bits;
      const firstByte = Math.floor(firstBit / 8);
      memory.bytes.set(bytes.subarray(firstByte, Math.ceil((bitOffset + to * bits) / 8)), SECOND);
      kernels.unpack(FIRST, SECOND, bits, firstBit % 8, to - from);
      save(out, from, to);
    }
  },
};
