/**
 * What a gate is: one file in gates/ with its instruction, its readings for the party, the dealer and the clear fixed-point, and all that
 * it declares: what it reads and needs, what is dealt and multiplied by, what it costs. docs/ADDING.md says how one is added.
 *
 * Correlations. A gate declares what the dealer deals for an instruction: named arrays of words of some bits. The dealer knows the
 * mask of every wire; from them it computes the *value* of each dealt word, and shares it: parties 0 .. n-2 expand their share from
 * their seed, party n-1 gets the explicit word value - (sum of the expanded ones). Masks of opened wires are expanded by all parties.
 */
import type { Quantities } from "../../cost.ts";
import type { ClearWords, MaskedWords, MaskWords, PackedWords, ShareWords, Words } from "../../../shares/words.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";
import type { InfoOf, IsValueId, ValueId } from "./value.ts";

/** Words that the dealer shares out for one instruction. */
export interface DealtWords {
  /** Unique within the instruction. */
  readonly name: string;
  readonly bits: number;
  readonly count: number;
}

/** A wire as a party holds it. */
export interface PartyWire {
  /** X = x + r mod 2^bits */
  readonly masked: MaskedWords;
  /** This party's share of r mod 2^bits (canonical residues). */
  readonly mask: ShareWords;
}

/** Reads the words of one dealt array in order; the caller chooses the piece. */
export interface WordSource {
  /** Fills `out` with the next words (canonical residues mod 2^bits). RangeError beyond `count`. */
  next(out: Words): void;
  /** The next `count` words as they were packed, for kernels that read them so: not to be written to, and gone with the next ones. */
  nextPacked(count: number): PackedWords;
}

/** The next `length` words of a dealt array. */
export function take(source: WordSource, length: number): Words {
  const words: Words = new BigUint64Array(length);
  source.next(words);
  return words;
}

export type PublicIntegers = Words | Int32Array;

/** Integers that a gate looks up: equal keys are equal integers. */
export interface PublicTable<T extends PublicIntegers = PublicIntegers> {
  readonly key: string;
  readonly bytes: number;
  readonly make: () => T;
}

/** What a gate declares of the public integers that its parties work with; see PublicFactors. */
export interface PublicTables {
  /** A matrix that `multiply` will be asked for. */
  matrix(matrix: MatrixSource, matrixFracBits: number): void;
  bias(matrix: MatrixSource, fracBits: number): void;
  vector(name: string, factor: number, fracBits: number, length: number): void;
  table(table: PublicTable): void;
}

/**
 * Public integers of one plan: made once, bit-identical at all parties, compared by hash when a session opens. That hash covers what
 * gates declare (`Gate.tables`), so a gate asks for nothing else here, and has no public integers from elsewhere.
 */
export interface PublicFactors {
  /** x [rows, in] times the matrix rounded to integers at matrixFracBits, exact mod 2^ringBits, bias (at `outFracBits`) not added: [rows, out]. */
  multiply(
    matrix: MatrixSource,
    matrixFracBits: number,
    x: Words,
    rows: number,
    ringBits: number,
    out: Words,
  ): Promise<void>;
  /** The bias of a matrix (its own, and rowBias through the matrix) at `fracBits`, [out]; null for none. */
  bias(matrix: MatrixSource, fracBits: number): Words | null;
  /** A parameter vector times `factor` at `fracBits`, repeated to `length`. */
  vector(name: string, factor: number, fracBits: number, length: number): Words;
  /** The integers of a table, not to be written to. */
  table<T extends PublicIntegers>(table: PublicTable<T>): T;
}

interface Walk {
  readonly info: InfoOf;
  readonly parties: number;
}

/** What a gate has when a party runs it. Words that it sets must be fresh arrays. */
export interface PartyWalk extends Walk {
  readonly party: number;
  readonly factors: PublicFactors;
  share(id: ValueId): ShareWords;
  wire(id: ValueId): PartyWire;
  setShare(id: ValueId, words: Words): void;
  setWire(id: ValueId, wire: PartyWire): void;
  /** The instruction's dealt array of this name. */
  dealt(name: string): WordSource;
  /** Values that outlive the step, by key: rows of K and V. */
  readonly kept: Map<string, PartyWire | ShareWords>;
}

/** What a gate has when the dealer walks the plan: masks in place of messages. */
export interface DealerWalk extends Walk {
  /** r mod 2^bits, canonical. */
  mask(id: ValueId): MaskWords;
  /** floor((r_0 + ... + r_{n-1}) / 2^bits) of the parties' canonical mask shares: only of a wire that `open` made (Error otherwise). */
  carry(id: ValueId): Words;
  setMask(id: ValueId, words: Words): void;
  /** Deals the next words of the array `name`: `values` mod 2^bits are shared out, and not needed afterwards. */
  deal(name: string, values: Words): void;
  readonly kept: Map<string, MaskWords>;
}

/** What the client has of the model where it evaluates gates: vectors, and of matrices their columns' norms alone. */
export interface ClientFactors {
  /** A parameter that is a vector, or a table of one row. */
  vector(name: string): Float32Array;
  /** 2-norms of a matrix's columns, [outputs]: what `columnNorms` of MatrixSource divides by. */
  columnNorms(matrix: MatrixSource): Float64Array;
}

/** What a gate has at the client: its own values, in the clear. */
export interface ClientWalk {
  readonly info: InfoOf;
  readonly model: ClientFactors;
  /** [rows * columns], not to be written to. */
  real(id: ValueId): Float64Array;
  setReal(id: ValueId, values: Float64Array): void;
  /** Rows that outlive the step, by key: K and V of a layer that the client attends. */
  readonly keptReals: Map<string, Float64Array>;
}

/** What a gate has in the clear: signed fixed-point integers as words mod 2^64, and the client's numbers. */
export interface ClearWalk extends Walk, ClientWalk {
  readonly info: InfoOf;
  readonly factors: PublicFactors;
  clear(id: ValueId): ClearWords;
  setClear(id: ValueId, words: Words): void;
  readonly kept: Map<string, ClearWords>;
}

/** A gate's cost as mathjs expressions in the quantities that `quantities` gives and n (parties). */
export interface GateCost {
  /** Bits sent by all parties together. */
  readonly onlineBits: string;
  /** Explicit bits, dealt to one party. */
  readonly dealtBits: string;
  readonly rounds: string;
  /** Multiply-adds on words, one party. */
  readonly multiplyAdds: string;
  /** Bits from the client to the first party; absent: none. */
  readonly takenBits?: string;
  /** Bits from the first party to the client, and from each of the others; absent: none. */
  readonly givenBits?: string;
  readonly othersGivenBits?: string;
}

/** What an instruction is before anything is known of its gate: `out` is the value that it makes. */
export interface AnyInstruction {
  readonly gate: string;
  readonly out?: ValueId;
}

/** Bits that are needed of what a field names, where `need` bits are needed of what the instruction makes (0: it makes nothing). */
type DemandOn<I, Field> =
  IsValueId<Field> extends true
    ? (need: number, instruction: I, info: InfoOf) => number
    : Field extends readonly (infer Term extends { readonly x: ValueId })[]
      ? (need: number, term: Term) => number
      : never;

/**
 * The fields of an instruction that name the values it reads: every field of type ValueId but `out`, and lists of terms with an `x` of
 * that type. A field that is missing here is an error of types.
 */
export type Operands<I> = {
  readonly [F in keyof I as F extends "out" ? never : DemandOn<I, I[F]> extends never ? never : F]: DemandOn<I, I[F]>;
};

export interface Gate<I extends AnyInstruction> {
  readonly name: I["gate"];
  /** What it does, in a line: its row in docs/smpc.md. */
  readonly does: string;
  /**
   * What it reads, and the bits that it needs of each: of a share its ring, of a row wire without a width of its own that width. Throws
   * RingBudgetError where an operand can't have them.
   */
  readonly operands: Operands<I>;
  readonly cost: GateCost;
  /** Meanings of quantities that no other gate has, for docs/costs.md. */
  readonly meanings?: Readonly<Record<string, string>>;
  /** The named quantities of the cost expressions, for one instruction. */
  quantities(instruction: I, info: InfoOf): Quantities;
  /** All public integers that a party asks `walk.factors` for. */
  tables(instruction: I, info: InfoOf, tables: PublicTables): void;
  /** What is dealt for it, in the order in which it is dealt and read. */
  dealt(instruction: I, info: InfoOf): readonly DealtWords[];
  party(instruction: I, walk: PartyWalk): void | Promise<void>;
  dealer(instruction: I, walk: DealerWalk): void;
  clear(instruction: I, walk: ClearWalk): void | Promise<void>;
  /** The client's part, of gates that have one. */
  client?(instruction: I, walk: ClientWalk): void;
  /** What its lemmas depend on, by the names of its line in proved-widths.ts: every one is held against how far they reach. */
  widths(instruction: I, info: InfoOf): Readonly<Record<string, number>>;
  /** Largest difference, in units of the output, between what the parties and the clear reading compute, on the declared domain. */
  errorUnits(instruction: I, walk: Walk): number;
}
