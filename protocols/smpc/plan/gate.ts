/**
 * What a gate is: one file in gates/ with its readings for the party, the dealer and the clear fixed-point, and its declared cost.
 *
 * Correlations. A gate declares what the dealer deals for an instruction: named arrays of words of some bits. The dealer knows the
 * mask of every wire; from them it computes the *value* of each dealt word, and shares it: parties 0 .. n-2 expand their share from
 * their seed, party n-1 gets the explicit word value - (sum of the expanded ones). Masks of opened wires are expanded by all parties.
 */
import type { Quantities } from "../../cost.ts";
import type { ClearWords, MaskedWords, MaskWords, PackedWords, ShareWords, Words } from "../../../shares/words.ts";
import type { GateName, InstructionOf, MatrixSource, ValueId, ValueInfo } from "./instruction.ts";
import type { WidthsOf } from "./proved-widths.ts";

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

/** Public integers of one plan: made once, bit-identical at all parties, compared by hash when a session opens. */
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
}

interface Walk {
  readonly info: (id: ValueId) => ValueInfo;
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

/** What a gate has in the clear: signed fixed-point integers as words mod 2^64. */
export interface ClearWalk extends Walk {
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
}

export interface Gate<G extends GateName> {
  readonly name: G;
  readonly cost: GateCost;
  /** The named quantities of the cost expressions, for one instruction. */
  quantities(instruction: InstructionOf<G>, info: (id: ValueId) => ValueInfo): Quantities;
  /** What is dealt for it, in the order in which it is dealt and read. */
  dealt(instruction: InstructionOf<G>, info: (id: ValueId) => ValueInfo): readonly DealtWords[];
  party(instruction: InstructionOf<G>, walk: PartyWalk): void | Promise<void>;
  dealer(instruction: InstructionOf<G>, walk: DealerWalk): void;
  clear(instruction: InstructionOf<G>, walk: ClearWalk): void | Promise<void>;
  /** What its lemmas depend on; every one is held against how far they reach. */
  widths(instruction: InstructionOf<G>, info: (id: ValueId) => ValueInfo): WidthsOf<G>;
  /** Largest difference, in units of the output, between what the parties and the clear reading compute, on the declared domain. */
  errorUnits(instruction: InstructionOf<G>, walk: Walk): number;
}
