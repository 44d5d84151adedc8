/**
 * Series: an even, odd or periodic function of an opened wire, without a product of secrets.
 *
 * Functionality: <x> mod 2^k -> [f(x)], f(x) = c_0 + sum over h of a_h cos(h w x) + b_h sin(h w x), w = 2 pi / 2^k in units of the wire.
 *   With x = X - r: f = c_0 + sum cos(h w X) A_h + sin(h w X) B_h, A_h = a_h cos(h w r) - b_h sin(h w r), B_h = a_h sin(h w r) + b_h cos(h w r):
 *   public table entries times dealt words.
 * Parties: every party on its own share; party 0 adds c_0. Dealer: [A_h], [B_h] for every element and harmonic. Where a harmonic's table is
 *   coarser by s bits, its products come times 2^s, so that K - s bits of its words are dealt.
 * Leaks: nothing (local).
 * Assumes: the wire's ring is the period, 2^(bits - fracBits) = 2^periodBits; x in the interval that f was fitted on; table entries
 *   bit-identical at all parties (their hash is compared when a session opens).
 * Cost: `series.cost`: 2 dealt words a harmonic, of K - s bits. Error bound: the fit's (Series.maxError), and rounding of words and table (`errorUnits`).
 * Reference: smpc.md, gates 4 and 5. Proof: the addition theorem; sums: proofs/lemmas/linear.ts. Test: tests/protocols/smpc/series.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { packedSeriesSums, seriesWords, type DealtSeries } from "../../../shares/packed-series.ts";
import { ring } from "../../../shares/ring.ts";
import { roundToWords, seriesSums } from "../../../shares/table-kernels.ts";
import type { Words } from "../../../shares/words.ts";
import { type Gate, take, type PublicTable } from "../plan/gate.ts";
import { type InfoOf, type ValueInfo, shareOf, wireOf, type ValueId } from "../plan/value.ts";
import { LEAST_INDEX_BITS, MOST_INDEX_BITS } from "../plan/plan-limits.ts";
import { tiles } from "../product/tiles.ts";
import { cosines, integerCosines } from "../factors/turn-table.ts";
import type { Series } from "../fit/series.ts";

/** out = series(x) of a wire whose bits - fracBits is the period; words and table as declared. */
export interface SeriesInstruction {
  readonly gate: "series";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly series: Series;
  readonly tableFracBits: number;
  readonly wordFracBits: number;
  /** By harmonic: so many bits fewer than tableFracBits has its table; none where it is missing. */
  readonly coarserBits?: readonly number[];
}

/** What the kernels on packed words take: entries of a table, magnitudes of a dealt word. */
const LARGEST_TABLE = 2 ** 20;
const LARGEST_WORD = 2 ** 62;

/** A series of an opened wire. */
export const series: Gate<SeriesInstruction> = {
  name: "series",
  does: "even, odd and periodic functions (GELU, SiLU, tanh, 1/sqrt, log): two dealt words a harmonic",
  operands: { x: (need) => need },
  cost: {
    onlineBits: "0",
    dealtBits: "count * 2 * (terms * ringBits - coarserBits)",
    rounds: "0",
    multiplyAdds: "count * 2 * terms",
  },
  meanings: { coarserBits: "bits, of all harmonics together, that their dealt words have less than the ring" },
  quantities(instruction, info) {
    const { x, out, series: of } = instruction;
    const { ringBits } = shareOf(info(out));
    const terms = of.harmonics.length;
    const dealtBits = gradesOf(instruction, info).reduce((sum, { places, bits }) => sum + places.length * bits, 0);
    return {
      count: info(x).rows * info(x).columns,
      terms,
      ringBits,
      coarserBits: terms * ringBits - dealtBits,
    };
  },
  tables(instruction, info, tables) {
    for (const grade of gradesOf(instruction, info)) tables.table(partyTable(instruction, info(instruction.x), grade));
  },
  dealt(instruction, info) {
    const { rows, columns } = info(instruction.x);
    return gradesOf(instruction, info).map(({ name, bits, places }) => ({
      name,
      bits,
      count: rows * columns * 2 * places.length,
    }));
  },
  party(instruction, walk) {
    const { masked } = walk.wire(instruction.x);
    const out: Words = new BigUint64Array(masked.length);
    for (const grade of gradesOf(instruction, walk.info)) {
      const table = walk.factors.table(partyTable(instruction, walk.info(instruction.x), grade));
      const harmonics = Int32Array.from(grade.places, (place) => instruction.series.harmonics[place]);
      const source = walk.dealt(grade.name);
      for (const { from, to } of tiles(masked.length, 2 * harmonics.length)) {
        const sums: Words = grade.coarserBits === 0 ? out.subarray(from, to) : new BigUint64Array(to - from);
        const x = masked.subarray(from, to);
        const length = (to - from) * 2 * harmonics.length;
        if (table.length <= LARGEST_TABLE) {
          packedSeriesSums(sums, x, source.nextPacked(length), grade.bits, table, harmonics);
        } else {
          seriesSums(
            sums,
            x,
            take(source, length),
            table,
            harmonics,
            2 ** (instruction.tableFracBits - grade.coarserBits),
          );
        }
        if (grade.coarserBits > 0)
          ring.addScaled(out.subarray(from, to), out.subarray(from, to), sums, 1n << BigInt(grade.coarserBits));
      }
    }
    if (walk.party === 0) ring.scale(out, out, 1n, constantWord(instruction));
    walk.setShare(instruction.out, out);
  },
  dealer(instruction, walk) {
    const { bits } = checkedWire(instruction, walk.info(instruction.x));
    const { harmonics, cos, sin } = instruction.series;
    const table = cosines(bits);
    const unit = 2 ** instruction.wordFracBits;
    const masks = walk.mask(instruction.x);
    for (const { name, places } of gradesOf(instruction, walk.info)) {
      const dealt = {
        harmonics: Int32Array.from(places, (place) => harmonics[place]),
        cos: Float64Array.from(places, (place) => unit * cos[place]),
        sin: Float64Array.from(places, (place) => unit * sin[place]),
      };
      const largest = dealt.cos.reduce((most, a, j) => Math.max(most, Math.abs(a) + Math.abs(dealt.sin[j])), 0);
      const make = table.length <= LARGEST_TABLE && largest < LARGEST_WORD ? seriesWords : anySeriesWords;
      const cut = tiles(masks.length, 2 * places.length);
      const room: Words = new BigUint64Array((cut[0].to - cut[0].from) * 2 * places.length); // no tile is higher than the first
      for (const { from, to } of cut) {
        const words = room.subarray(0, (to - from) * 2 * places.length);
        make(words, masks.subarray(from, to), table, dealt);
        walk.deal(name, words);
      }
    }
  },
  clear(instruction, walk) {
    const { bits } = checkedWire(instruction, walk.info(instruction.x));
    const x = walk.clear(instruction.x);
    const table = cosines(bits);
    const mask = table.length - 1;
    const quarter = table.length / 4;
    const { harmonics, cos, sin, constant } = instruction.series;
    const { fracBits } = walk.info(instruction.out);
    const halves = new Uint32Array(x.buffer, x.byteOffset, x.length * 2);
    const values = Float64Array.from({ length: x.length }, (_, i) => {
      let value = constant;
      for (let j = 0; j < harmonics.length; j++) {
        const angle = Math.imul(harmonics[j], halves[2 * i]);
        value += cos[j] * table[angle & mask] + sin[j] * table[(angle - quarter) & mask];
      }
      return value * 2 ** fracBits;
    });
    const out: Words = new BigUint64Array(x.length);
    roundToWords(out, values);
    walk.setClear(instruction.out, out);
  },
  widths: ({ x, out }, info) => ({ bits: widthOf(info(x)), ringBits: widthOf(info(out)) }),
  errorUnits({ series: { harmonics, cos, sin }, tableFracBits, wordFracBits, coarserBits }) {
    // |cos| + |sin| <= sqrt(2): half a unit of both words times the table's entries, and of both entries times the words, where a unit of
    // a coarser table is 2^coarser of the output's. Float64 sums are 2^-48 of their terms.
    const unitOf = (j: number): number => 2 ** (coarserBits?.[j] ?? 0);
    const amplitude = (j: number): number => Math.hypot(cos[j], sin[j]);
    const sum = (of: (j: number) => number): number => harmonics.reduce((all, _, j) => all + of(j), 0);
    const words = 0.5 * sum((j) => 2 ** tableFracBits + unitOf(j));
    const entries = 0.5 * sum((j) => amplitude(j) * unitOf(j)) * 2 ** wordFracBits;
    const sums = sum(amplitude) * 2 ** (tableFracBits + wordFracBits - 48);
    return Math.ceil(Math.SQRT2 * (words + entries + sums)) + 2;
  },
};

/** Harmonics whose tables are equally coarse. */
interface Grade {
  /** Of their dealt array. */
  readonly name: string;
  readonly coarserBits: number;
  /** Bits of their dealt words. */
  readonly bits: number;
  /** Indices of harmonics, ascending. */
  readonly places: readonly number[];
}

/** The grades of a series, finest first. */
function gradesOf(
  { out, series: { harmonics }, tableFracBits, coarserBits }: SeriesInstruction,
  info: InfoOf,
): Grade[] {
  const { ringBits } = shareOf(info(out));
  if (coarserBits !== undefined && coarserBits.length !== harmonics.length)
    throw new Error(`series: expected coarser bits of ${harmonics.length} harmonics, got ${coarserBits.length}`);
  const byBits = new Map<number, number[]>();
  harmonics.forEach((_, place) => {
    const coarser = coarserBits?.[place] ?? 0;
    if (!(Number.isInteger(coarser) && coarser >= 0 && coarser <= tableFracBits))
      throw new Error(`series: expected tables coarser by 0 to ${tableFracBits} bits, got ${coarser}`);
    byBits.set(coarser, [...(byBits.get(coarser) ?? []), place]);
  });
  return [...byBits]
    .sort(([a], [b]) => a - b)
    .map(([coarser, places]) => ({
      name: coarser === 0 ? "turns" : `turns ${coarser}`,
      coarserBits: coarser,
      // A word of one bit at least: times 2^coarser it is nothing in a ring that ends below.
      bits: Math.max(1, ringBits - coarser),
      places,
    }));
}

/** What a party looks up; `info` is of the operand. */
const partyTable = (instruction: SeriesInstruction, info: ValueInfo, grade: Grade): PublicTable<Int32Array> =>
  integerCosines(checkedWire(instruction, info).bits, instruction.tableFracBits - grade.coarserBits);

/** As seriesWords, for tables and words of any size, more slowly. */
function anySeriesWords(out: Words, masks: Words, table: Float64Array, { harmonics, cos, sin }: DealtSeries): void {
  const mask = table.length - 1;
  const quarter = table.length / 4;
  const r = new Uint32Array(masks.buffer, masks.byteOffset, masks.length * 2);
  const values = new Float64Array(out.length);
  let at = 0;
  for (let i = 0; i < r.length; i += 2)
    for (let j = 0; j < harmonics.length; j++) {
      const angle = Math.imul(harmonics[j], r[i]);
      const c = table[angle & mask];
      const s = table[(angle - quarter) & mask];
      values[at++] = cos[j] * c - sin[j] * s;
      values[at++] = cos[j] * s + sin[j] * c;
    }
  roundToWords(out, values);
}

function constantWord({ series: { constant }, tableFracBits, wordFracBits }: SeriesInstruction): bigint {
  return BigInt(Math.round(constant * 2 ** (tableFracBits + wordFracBits)));
}

function checkedWire({ series: { periodBits } }: SeriesInstruction, info: ValueInfo): { bits: number } {
  const { bits, fracBits } = wireOf(info, "series");
  if (bits - fracBits !== periodBits || bits > MOST_INDEX_BITS || bits < LEAST_INDEX_BITS)
    throw new Error(
      `series: expected a wire of ${periodBits} + fracBits bits, from ${LEAST_INDEX_BITS} to ${MOST_INDEX_BITS}, got ${bits} with ${fracBits} fractional bits`,
    );
  return { bits };
}
