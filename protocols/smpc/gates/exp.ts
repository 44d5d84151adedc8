/**
 * Exp by windows: the exponential of an opened wire.
 *
 * Functionality: <x> mod 2^k -> [exp(x / t)] for x in [from, from + 2^k (1 - 1/W) units). With x' = x - from and X' = X - from mod 2^k:
 *   the public X' lies in one of W windows of s = 2^k / W values (rounded up: the last may be shorter); let X' = top - d, top = s - 1,
 *   2 s - 1, ... the window's. Then x' = (top - r mod 2^k) - d, because x' + d < 2^k. So exp(x / t) = e^(((top - r mod 2^k) + from) / t), one of W dealt words, times the
 *   public e^(-d / t).
 * Parties: every party on its own share. Dealer: W words an element, of which each party uses the public X's one.
 * Leaks: nothing (local).
 * Assumes: x in its interval (above it, the result is that of x - 2^k: a range miss); tables bit-identical at all parties (hashed).
 *   Dealt words may exceed the ring: only the product has to fit, and it does where exp(x / t) does.
 * Cost: `exp.cost`: W dealt words an element. Error bound: half a unit of the word, and of the table times the word (`errorUnits`).
 * Reference: smpc.md, gate 6. Proof: proofs/lemmas/windows.ts. Test: tests/protocols/smpc/exp.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { pickPackedWords } from "../../../shares/packed-series.ts";
import { ring } from "../../../shares/ring.ts";
import { roundToWords } from "../../../shares/table-kernels.ts";
import type { Words } from "../../../shares/words.ts";
import { exponential } from "../factors/exponential.ts";
import type { Gate, PublicTable } from "../plan/gate.ts";
import { type ValueInfo, shareOf, wireOf, type ValueId } from "../plan/value.ts";
import { MOST_INDEX_BITS } from "../plan/plan-limits.ts";
import { tiles } from "../product/tiles.ts";
import { BoundedMemo } from "../../bounded-memo.ts";

/** out = exp(x / temperature) for x in [from, from + period (1 - 1/windows)). */
export interface ExpInstruction {
  readonly gate: "exp";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly temperature: number;
  readonly from: number;
  readonly windows: number;
  readonly tableFracBits: number;
  readonly wordFracBits: number;
}

/** The exponential of an opened wire. */
export const exp: Gate<ExpInstruction> = {
  name: "exp",
  does: "exponentials, by windows of the public word: a dealt word a window",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "count * windows * ringBits", rounds: "0", multiplyAdds: "count" },
  quantities: ({ x, out, windows }, info) => ({
    count: info(x).rows * info(x).columns,
    windows,
    ringBits: shareOf(info(out)).ringBits,
  }),
  tables: (instruction, info, tables) => tables.table(expTable(instruction, info(instruction.x))),
  dealt({ x, out, windows }, info) {
    const { rows, columns } = info(x);
    return [{ name: "windows", bits: shareOf(info(out)).ringBits, count: rows * columns * windows }];
  },
  party(instruction, walk) {
    const { windows } = instruction;
    const geometry = windowsOf(instruction, walk.info(instruction.x));
    const { ringBits } = shareOf(walk.info(instruction.out));
    const table = walk.factors.table(expTable(instruction, walk.info(instruction.x)));
    const { masked } = walk.wire(instruction.x);
    const X = new Uint32Array(masked.buffer, masked.byteOffset, masked.length * 2);
    const source = walk.dealt("windows");
    const out: Words = new BigUint64Array(masked.length);
    for (const { from, to } of tiles(masked.length, windows)) {
      const chosen = new Uint32Array(to - from);
      const factors: Words = new BigUint64Array(to - from);
      const [f, t] = [factors, table].map((array) => new Uint32Array(array.buffer));
      for (let i = 0; i < to - from; i++) {
        const x = (X[2 * (from + i)] - geometry.fromUnits) & geometry.mask;
        const window = Math.floor(x / geometry.height);
        const below = (window + 1) * geometry.height - 1 - x;
        chosen[i] = window;
        f[2 * i] = t[2 * below];
        f[2 * i + 1] = t[2 * below + 1];
      }
      const words = out.subarray(from, to);
      pickPackedWords(words, chosen, windows, source.nextPacked((to - from) * windows), ringBits);
      ring.multiply(words, words, factors);
    }
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const { windows } = instruction;
    const geometry = windowsOf(instruction, walk.info(instruction.x));
    const mask = walk.mask(instruction.x);
    const r = new Uint32Array(mask.buffer, mask.byteOffset, mask.length * 2);
    const cut = tiles(mask.length, windows);
    const residues = new Float64Array((cut[0].to - cut[0].from) * windows); // no tile is higher than the first
    const words =
      mask.length * windows >= 2 ** geometry.bits ? looked(instruction, geometry) : growthOf(instruction, geometry);
    for (const { from, to } of cut) {
      let at = 0;
      for (let i = from; i < to; i++)
        for (let window = 0; window < windows; window++)
          residues[at++] = ((window + 1) * geometry.height - 1 - r[2 * i]) & geometry.mask;
      walk.deal("windows", words(residues.subarray(0, at)));
    }
  },
  clear(instruction, walk) {
    const { mask, fromUnits, fracBits } = windowsOf(instruction, walk.info(instruction.x));
    const x = walk.clear(instruction.x);
    const units = new Uint32Array(x.buffer, x.byteOffset, x.length * 2);
    const unit = 2 ** walk.info(instruction.out).fracBits;
    // The interval isn't centred on 0: the word stands for its one residue in it.
    const values = Float64Array.from(x, (_, i) => {
      const real = (((units[2 * i] - fromUnits) & mask) + fromUnits) / 2 ** fracBits;
      return unit * Math.exp(real / instruction.temperature);
    });
    const out: Words = new BigUint64Array(x.length);
    roundToWords(out, values);
    walk.setClear(instruction.out, out);
  },
  widths(instruction, info) {
    const { windows } = instruction;
    const { bits, height } = windowsOf(instruction, info(instruction.x));
    return { bits, windows, lastWindow: 2 ** bits - height * (windows - 1), ringBits: widthOf(info(instruction.out)) };
  },
  errorUnits(instruction, walk) {
    const { tableFracBits, wordFracBits, temperature, from, windows } = instruction;
    const { bits, fracBits } = wireOf(walk.info(instruction.x), "exp");
    // Half a unit of the word times a table entry of at most 1; half a unit of the table times a word a window above the interval.
    const highest = Math.exp((from + 2 ** (bits - fracBits)) / temperature);
    return Math.ceil(0.5 * 2 ** tableFracBits + 0.5 * highest * 2 ** wordFracBits + windows);
  },
};

interface WindowGeometry {
  readonly mask: number;
  /** Values of a window; the last one may have fewer. */
  readonly height: number;
  /** `from` in units of the wire. */
  readonly fromUnits: number;
  readonly bits: number;
  readonly fracBits: number;
}

function windowsOf({ windows, from }: ExpInstruction, info: ValueInfo): WindowGeometry {
  const { bits, fracBits } = wireOf(info, "exp");
  const height = Math.ceil(2 ** bits / windows);
  if (!(Number.isInteger(windows) && windows >= 2 && bits <= MOST_INDEX_BITS && height * (windows - 1) < 2 ** bits))
    throw new Error(
      `exp: expected 2 or more windows in a wire of at most ${MOST_INDEX_BITS} bits, got ${windows} in ${bits}`,
    );
  const fromUnits = Math.ceil(from * 2 ** fracBits);
  return { mask: 2 ** bits - 1, height, fromUnits, bits, fracBits };
}

/** Below this an exponential is 0 in any table. */
const LEAST_EXPONENT = -100;

/**
 * Tables of a plan's few exponentials, for its other parties and steps. A decoded token of eight layers reads forty of them, some of 8 MB:
 * fewer would be made again for every token.
 */
const kept = new BoundedMemo<Words>(256 * 1024 * 1024, ({ byteLength }) => byteLength);

/** e^(-d / t) for d = 0 ... s - 1 at tableFracBits: the same bits on every machine. `info` is of the operand. */
export function expTable(instruction: ExpInstruction, info: ValueInfo): PublicTable<Words> {
  const { temperature, tableFracBits } = instruction;
  const { height, fracBits } = windowsOf(instruction, info);
  const key = `decay ${temperature} ${tableFracBits} ${height} ${fracBits}`;
  const make = (): Words => {
    const table: Words = new BigUint64Array(height);
    const exact = new Float64Array(height);
    const [unit, step] = [2 ** tableFracBits, 2 ** fracBits * temperature];
    for (let d = 0; d < height && -d / step >= LEAST_EXPONENT; d++) exact[d] = unit * exponential(-d / step);
    roundToWords(table, exact);
    return table;
  };
  return { key, bytes: 8 * height, make: () => kept.get(key, make) };
}

/** e^((c + from) / t) at wordFracBits for every residue c, mod 2^64. */
function growthOf(
  { temperature, wordFracBits }: ExpInstruction,
  { fromUnits, fracBits }: WindowGeometry,
): (residues: Float64Array) => Words {
  const [unit, step] = [2 ** wordFracBits, 2 ** fracBits * temperature];
  return (residues) => {
    const values = new Float64Array(residues.length);
    for (let i = 0; i < residues.length; i++) values[i] = unit * Math.exp((residues[i] + fromUnits) / step);
    const words: Words = new BigUint64Array(residues.length);
    roundToWords(words, values);
    return words;
  };
}

/** The same as a table of all 2^k residues: worth it where far more than 2^k words are dealt. */
function growthTable(instruction: ExpInstruction, geometry: WindowGeometry): Words {
  const { bits, fracBits, fromUnits } = geometry;
  const { temperature, wordFracBits } = instruction;
  return kept.get(`growth ${temperature} ${wordFracBits} ${bits} ${fracBits} ${fromUnits}`, () => {
    const residues = new Float64Array(2 ** bits);
    for (let c = 0; c < residues.length; c++) residues[c] = c;
    return growthOf(instruction, geometry)(residues);
  });
}

/** growthOf by looking up, into one array that the next call writes again. */
function looked(instruction: ExpInstruction, geometry: WindowGeometry): (residues: Float64Array) => Words {
  const table = new Uint32Array(growthTable(instruction, geometry).buffer);
  let room: Words = new BigUint64Array(0);
  return (residues) => {
    if (room.length < residues.length) room = new BigUint64Array(residues.length);
    const halves = new Uint32Array(room.buffer);
    for (let i = 0; i < residues.length; i++) {
      halves[2 * i] = table[2 * residues[i]];
      halves[2 * i + 1] = table[2 * residues[i] + 1];
    }
    return room.subarray(0, residues.length);
  };
}
