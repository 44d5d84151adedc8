/**
 * Runs one gate as dealer, as n parties and in the clear, with arrays in place of a network, and checks what holds of every gate:
 * what is dealt and read is what it declares, and so are operands and tables, its cost is what is dealt, wires are consistent, operands
 * stay as they were, and the parties' result is within the declared error units of the clear reading.
 */
import { noClientValues } from "../../../protocols/smpc/run/client-values.ts";
import { widthOf } from "../../../protocols/smpc/plan/width-of.ts";
import { wireOf } from "../../../protocols/smpc/plan/value.ts";
import assert from "node:assert/strict";
import { evaluateCost } from "../../../protocols/cost.ts";
import type {
  AnyInstruction,
  ClearWalk,
  DealerWalk,
  DealtWords,
  Gate,
  PartyWalk,
  PartyWire,
  PublicFactors,
  WordSource,
} from "../../../protocols/smpc/plan/gate.ts";
import type { ValueId, ValueInfo } from "../../../protocols/smpc/plan/value.ts";
import { Generator } from "../../../shares/generator.ts";
import { DeclaredReads } from "./declared-reads.ts";
import { ring } from "../../../shares/ring.ts";
import {
  lowBits,
  type ClearWords,
  type MaskedWords,
  type MaskWords,
  type PackedWords,
  type ShareWords,
  type Words,
} from "../../../shares/words.ts";

/** Rows that outlive a step (append, pivot): give the same object to the runs of one sequence. */
export interface KeptRows {
  readonly parties: readonly Map<string, PartyWire | ShareWords>[];
  readonly dealer: Map<string, MaskWords>;
  readonly clear: Map<string, ClearWords>;
}

/** Nothing kept yet. */
export const keptNothing = (parties: number): KeptRows => ({
  parties: Array.from({ length: parties }, () => new Map()),
  dealer: new Map(),
  clear: new Map(),
});

export interface BenchSetting {
  readonly parties: number;
  readonly seed: string;
  readonly factors?: PublicFactors;
  readonly kept?: KeptRows;
  /** Input wires that no `open` made: the dealer has no carry of them. */
  readonly derived?: readonly ValueId[];
  /** Don't compare with the clear reading: inputs outside the declared domain. */
  readonly anyError?: boolean;
}

export interface BenchResult {
  /** The output as signed integers: shares added up mod 2^ringBits, or X - r mod 2^bits. */
  readonly out: readonly bigint[];
  /** The clear reading's output, signed mod 2^64. */
  readonly clear: readonly bigint[];
  /** Each party's share of the output, or of its mask. */
  readonly shares: readonly Words[];
  /** X of an output wire. */
  readonly masked: Words | null;
  readonly dealtBits: number;
  /** Largest |out - clear| mod 2^ringBits. */
  readonly largestErrorUnits: bigint;
  /** Milliseconds that each reading took, for people: party 0, the dealer. */
  readonly partyMs: number;
  readonly dealerMs: number;
}

/** Residue of `value` mod 2^bits as a signed integer in [-2^(bits - 1), 2^(bits - 1)). */
export const signedMod = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);

/**
 * Runs `gate` on `inputs` (signed integers by value id, one for every operand). `values` describes operands and output by id.
 * Throws AssertionError if the gate breaks a rule or the parties' result is off by more than its error units.
 */
export async function runGate<I extends AnyInstruction>(
  gate: Gate<I>,
  instruction: NoInfer<I>,
  values: readonly ValueInfo[],
  inputs: Readonly<Record<number, readonly bigint[] | Words>>,
  setting: BenchSetting,
): Promise<BenchResult> {
  const { parties, seed } = setting;
  const declared = new DeclaredReads(gate, instruction, (id) => values[id]);
  const { info } = declared;
  const to = instruction.out!;
  const draw = new WordDraw(seed);
  const kept = setting.kept ?? keptNothing(parties);
  const factors = setting.factors ?? noFactors;
  const operands = Object.entries(inputs).map(([id, words]) =>
    shareOut(Number(id), info(Number(id)), words, parties, draw),
  );
  const operand = (id: ValueId): Operand => found(operands, (candidate) => candidate.id === id, `operand ${id}`);
  const before = operands.map((each) => snapshot(each));

  const arrays = gate.dealt(instruction, info).map((words) => new DealtArray(words, parties, draw));
  assert.equal(new Set(arrays.map(({ name }) => name)).size, arrays.length, "names of dealt arrays are unique");
  const array = (name: string): DealtArray => found(arrays, (candidate) => candidate.name === name, `dealt ${name}`);

  const made: { mask: Words | null; clear: Words | null } = { mask: null, clear: null };
  const dealerWalk: DealerWalk = {
    parties,
    kept: kept.dealer,
    info,
    mask: (id) => operand(id).mask!.slice() as MaskWords,
    carry: (id) => {
      if (setting.derived?.includes(id)) throw new Error(`carry of value ${id}: expected a wire that was opened`);
      return operand(id).carry!.slice();
    },
    setMask: (id, words) => {
      assert.equal(id, to);
      made.mask = words;
    },
    deal: (name, words) => array(name).deal(words),
  };
  const dealerStart = performance.now();
  gate.dealer(instruction, declared.dealer(dealerWalk));
  const dealerMs = performance.now() - dealerStart;
  for (const { words, dealtCount } of arrays) assert.equal(dealtCount, words.count, `dealt ${words.name}: words dealt`);

  const results: (Words | PartyWire)[] = [];
  let partyMs = 0;
  for (let party = 0; party < parties; party++) {
    const walk: PartyWalk = {
      party,
      parties,
      factors,
      kept: kept.parties[party],
      info,
      share: (id) => operand(id).shares[party] as ShareWords,
      wire: (id) => ({ masked: operand(id).masked as MaskedWords, mask: operand(id).shares[party] as ShareWords }),
      setShare: (id, words) => set(id, "share", words),
      setWire: (id, wire) => set(id, "wire", wire),
      dealt: (name) => array(name).source(party),
    };
    const set = (id: ValueId, kind: "share" | "wire", result: Words | PartyWire): void => {
      assert.equal(id, to);
      assert.equal(info(to).kind, kind);
      results[party] = result;
    };
    const start = performance.now();
    await gate.party(instruction, declared.party(walk));
    if (party === 0) partyMs = performance.now() - start;
    for (const { words, readCounts } of arrays)
      assert.equal(readCounts[party], words.count, `dealt ${words.name}: words read by party ${party}`);
  }

  const clearWalk: ClearWalk = {
    parties,
    factors,
    kept: kept.clear,
    info,
    clear: (id) => operand(id).clear as ClearWords,
    setClear: (id, words) => {
      assert.equal(id, to);
      made.clear = words;
    },
    model: noClientValues().model,
    keptReals: new Map(),
    real: (id) => assert.fail(`value ${id}: a number of the client's`),
    setReal: (id) => assert.fail(`value ${id}: a number of the client's`),
  };
  await gate.clear(instruction, declared.clear(clearWalk));
  assert.deepEqual(
    operands.map((each) => snapshot(each)),
    before,
    "operands are left as they were",
  );

  const dealtBits = checkCost(gate, instruction, info, parties, arrays);
  const joined = join(info(to), results, made.mask);
  const clear = [...present(made.clear, "clear output")].map((word) => signedMod(word, 64));
  assert.equal(clear.length, joined.out.length, "length of the clear output");
  const bits = ringOf(info(to));
  let largestErrorUnits = 0n;
  joined.out.forEach((value, index) => {
    const error = signedMod(value - clear[index], bits);
    const size = error < 0n ? -error : error;
    if (size > largestErrorUnits) largestErrorUnits = size;
  });
  const allowed = BigInt(Math.floor(gate.errorUnits(instruction, { info, parties })));
  if (setting.anyError !== true)
    assert.ok(largestErrorUnits <= allowed, `error: expected at most ${allowed} units, got ${largestErrorUnits}`);
  return { ...joined, clear, dealtBits, largestErrorUnits, partyMs, dealerMs };
}

const ringOf = widthOf;

interface Operand {
  readonly id: ValueId;
  readonly clear: Words;
  /** Of the value, or of a wire's mask. */
  readonly shares: readonly Words[];
  readonly masked: Words | null;
  readonly mask: Words | null;
  readonly carry: Words | null;
}

function shareOut(
  id: ValueId,
  info: ValueInfo,
  input: readonly bigint[] | Words,
  parties: number,
  draw: WordDraw,
): Operand {
  const clear: Words = BigUint64Array.from(input, (value) => BigInt.asUintN(64, value));
  const length = info.rows * info.columns;
  assert.equal(clear.length, length, `operand ${id}: words`);
  const bits = ringOf(info);
  const isWire = info.kind === "wire";
  // Bits above the ring of a share are garbage.
  const shares = Array.from({ length: parties }, () => draw.words(length, isWire ? bits : 64));
  const sums = sumUp(shares);
  if (isWire) {
    const mask = sums.map((sum) => BigInt.asUintN(bits, sum));
    return {
      id,
      clear,
      shares,
      masked: BigUint64Array.from(mask, (r, i) => BigInt.asUintN(bits, clear[i] + r)),
      mask: BigUint64Array.from(mask),
      carry: BigUint64Array.from(sums, (sum) => sum >> BigInt(bits)),
    };
  }
  const garbage = draw.words(length, 64);
  const last = shares[parties - 1];
  for (let i = 0; i < length; i++)
    last[i] = BigInt.asUintN(64, clear[i] + (garbage[i] << BigInt(bits)) - (sums[i] - last[i]));
  return { id, clear, shares, masked: null, mask: null, carry: null };
}

const sumUp = (shares: readonly Words[]): bigint[] =>
  Array.from(shares[0], (_, i) => shares.reduce((sum, share) => sum + share[i], 0n));

const snapshot = ({ clear, shares, masked }: Operand): unknown[] => [clear, ...shares, masked].map((w) => w?.slice());

/** Seeded words, one in eight of them an edge of its range. */
class WordDraw {
  readonly #generator: Generator;

  constructor(seed: string) {
    this.#generator = new Generator(seed, "gate bench");
  }

  words(length: number, bits: number): Words {
    const top = 1n << BigInt(bits - 1);
    const edges = [0n, 1n, top - 1n, top, 2n * top - 2n, 2n * top - 1n];
    const words: Words = new BigUint64Array(length);
    for (let i = 0; i < length; i++) {
      const choice = this.#generator.nextUint32();
      if (choice % 8 === 0) words[i] = BigInt.asUintN(bits, edges[(choice >>> 3) % edges.length]);
      else
        words[i] = BigInt.asUintN(
          bits,
          (BigInt(this.#generator.nextUint32()) << 32n) | BigInt(this.#generator.nextUint32()),
        );
    }
    return words;
  }
}

/** One dealt array: shares of what the dealer deals, and how much was dealt and read. */
class DealtArray {
  readonly name: string;
  readonly words: DealtWords;
  readonly readCounts: number[];
  dealtCount = 0;
  readonly #shares: readonly Words[];
  readonly #asked = new Set<number>();

  constructor(words: DealtWords, parties: number, draw: WordDraw) {
    const { name, bits, count } = words;
    assert.ok(Number.isInteger(bits) && bits >= 1 && bits <= 64, `dealt ${name}: bits ${bits}`);
    assert.ok(Number.isInteger(count) && count >= 0, `dealt ${name}: count ${count}`);
    this.name = name;
    this.words = words;
    this.readCounts = Array.from({ length: parties }, () => 0);
    this.#shares = this.readCounts.map(() => draw.words(count, bits));
  }

  deal(values: Words): void {
    const { name, bits, count } = this.words;
    assert.equal((this.dealtCount * bits) % 8, 0, `dealt ${name}: pieces are whole bytes`);
    assert.ok(this.dealtCount + values.length <= count, `dealt ${name}: at most ${count} words`);
    const last = this.#shares[this.#shares.length - 1];
    for (let i = 0; i < values.length; i++) {
      const at = this.dealtCount + i;
      const others = this.#shares.slice(0, -1).reduce((sum, share) => sum + share[at], 0n);
      last[at] = BigInt.asUintN(bits, values[i] - others);
    }
    this.dealtCount += values.length;
  }

  /** An executor's source starts anew every time it is asked for, so a gate may ask once. */
  source(party: number): WordSource {
    assert.ok(!this.#asked.has(party), `dealt ${this.name}: asked for once by party ${party}`);
    this.#asked.add(party);
    return { next: (out) => this.#next(party, out), nextPacked: (count) => this.#nextPacked(party, count) };
  }

  /** Packed behind one other word, so that streams start anywhere in a byte. */
  #nextPacked(party: number, count: number): PackedWords {
    const { bits } = this.words;
    const words: Words = new BigUint64Array(1 + count).fill(lowBits(bits));
    this.#next(party, words.subarray(1));
    return { bytes: ring.pack(words, bits), bitOffset: bits };
  }

  #next(party: number, out: Words): void {
    const from = this.readCounts[party];
    assert.ok(from + out.length <= this.words.count, `dealt ${this.name}: at most ${this.words.count} words read`);
    out.set(this.#shares[party].subarray(from, from + out.length));
    this.readCounts[party] += out.length;
  }
}

function checkCost<I extends AnyInstruction>(
  gate: Gate<I>,
  instruction: I,
  info: (id: ValueId) => ValueInfo,
  parties: number,
  arrays: readonly DealtArray[],
): number {
  const quantities = { ...gate.quantities(instruction, info), n: parties };
  const dealtBits = arrays.reduce((sum, { words }) => sum + words.bits * words.count, 0);
  assert.equal(evaluateCost(gate.cost.dealtBits, quantities), dealtBits, "cost.dealtBits");
  assert.equal(evaluateCost(gate.cost.onlineBits, quantities), 0, "cost.onlineBits of a gate that isn't open");
  assert.equal(evaluateCost(gate.cost.rounds, quantities), 0, "cost.rounds of a gate that isn't open");
  assert.ok(evaluateCost(gate.cost.multiplyAdds, quantities) >= 0, "cost.multiplyAdds");
  return dealtBits;
}

function join(
  info: ValueInfo,
  results: readonly (Words | PartyWire)[],
  mask: Words | null,
): Pick<BenchResult, "out" | "shares" | "masked"> {
  const length = info.rows * info.columns;
  const shares = results.map((result) => (result instanceof BigUint64Array ? result : result.mask));
  for (const share of shares) assert.equal(share.length, length, "length of the output");
  const sums = sumUp(shares);
  if (info.kind === "share") return { out: sums.map((sum) => signedMod(sum, info.ringBits)), shares, masked: null };
  const { bits } = wireOf(info, "bench");
  const dealt = present(mask, "mask of the output");
  const wires = results as readonly PartyWire[];
  const isCanonical = (words: Words): boolean => words.every((word) => word >> BigInt(bits) === 0n);
  for (const wire of wires) {
    assert.deepEqual(wire.masked, wires[0].masked, "all parties hold the same X");
    assert.ok(isCanonical(wire.masked), "X is canonical");
    assert.ok(isCanonical(wire.mask), "shares of the mask are canonical");
  }
  assert.ok(isCanonical(dealt), "the dealer's mask is canonical");
  assert.deepEqual(
    sums.map((sum) => BigInt.asUintN(bits, sum)),
    [...dealt],
    "the parties' masks add up to the dealer's",
  );
  return { out: [...dealt].map((r, i) => signedMod(wires[0].masked[i] - r, bits)), shares, masked: wires[0].masked };
}

function present<T>(value: T | null, what: string): T {
  assert.ok(value !== null, `${what}: expected it to be set`);
  return value;
}

function found<T>(all: readonly T[], is: (candidate: T) => boolean, what: string): T {
  const one = all.find(is);
  assert.ok(one !== undefined, `${what}: expected it, got none`);
  return one;
}

const noFactors: PublicFactors = {
  multiply: () => Promise.reject(new Error("bench: expected factors in the setting, got none")),
  bias: () => null,
  vector: () => {
    throw new Error("bench: expected factors in the setting, got none");
  },
  table: ({ make }) => make(),
};
