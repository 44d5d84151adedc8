/**
 * Terms and statements over words: what a lemma says, as data. One description is read twice: printed as SMT-LIB for the solver, and
 * evaluated on BigInts to be compared with what the gates compute.
 */

/** A word expression mod 2^wordBits of the query that it stands in. */
export type Term =
  | { readonly op: "word"; readonly name: string }
  | { readonly op: "constant"; readonly value: bigint }
  | { readonly op: "add"; readonly terms: readonly Term[] }
  | { readonly op: "multiply"; readonly terms: readonly Term[] }
  /** The residue mod 2^bits. */
  | { readonly op: "low"; readonly of: Term; readonly bits: number }
  /** Logical shift to the right. */
  | { readonly op: "shift"; readonly of: Term; readonly bits: number }
  /** times2, but for the solver, which sees the bits move and no product. */
  | { readonly op: "left"; readonly of: Term; readonly bits: number };

/** A relation of two words; "at most" reads them as unsigned. */
export interface Formula {
  readonly relation: "equal" | "at most";
  readonly left: Term;
  readonly right: Term;
}

/** A free word. */
export const word = (name: string): Term => ({ op: "word", name });
/** A number, mod the word. */
export const constant = (value: bigint | number): Term => ({ op: "constant", value: BigInt(value) });
export const add = (...terms: readonly Term[]): Term => ({ op: "add", terms });
export const multiply = (...terms: readonly Term[]): Term => ({ op: "multiply", terms });
export const negative = (of: Term): Term => multiply(constant(-1n), of);
export const subtract = (left: Term, right: Term): Term => add(left, negative(right));
/** of * 2^bits */
export const times2 = (bits: number, of: Term): Term => multiply(constant(1n << BigInt(bits)), of);
export const low = (bits: number, of: Term): Term => ({ op: "low", of, bits });
export const shiftedRight = (bits: number, of: Term): Term => ({ op: "shift", of, bits });
/** of * 2^bits, in statements about bits; in polynomials times2 can be added up and this can't. */
export const shiftedLeft = (bits: number, of: Term): Term => ({ op: "left", of, bits });

export const equal = (left: Term, right: Term): Formula => ({ relation: "equal", left, right });
export const atMost = (left: Term, right: Term | bigint): Formula => ({
  relation: "at most",
  left,
  right: typeof right === "bigint" ? constant(right) : right,
});
/** from <= x <= to, where x is read mod 2^bits. */
export function within(x: Term, from: bigint, to: bigint, bits: number): Formula {
  const everything = (1n << BigInt(bits)) - 1n;
  return atMost(low(bits, subtract(x, constant(from))), to - from < everything ? to - from : everything);
}

/** Value of a term mod 2^wordBits; Error naming a word that `values` lacks. */
export function evaluate(term: Term, values: Readonly<Record<string, bigint>>, wordBits: number): bigint {
  const of = (each: Term): bigint => evaluate(each, values, wordBits);
  switch (term.op) {
    case "word": {
      const value = values[term.name];
      if (value === undefined) throw new Error(`term: expected a value of ${term.name}, got none`);
      return BigInt.asUintN(wordBits, value);
    }
    case "constant":
      return BigInt.asUintN(wordBits, term.value);
    case "add":
      return BigInt.asUintN(
        wordBits,
        term.terms.reduce((sum, each) => sum + of(each), 0n),
      );
    case "multiply":
      return term.terms.reduce((product, each) => BigInt.asUintN(wordBits, product * of(each)), 1n);
    case "low":
      return BigInt.asUintN(term.bits, of(term.of));
    case "shift":
      return of(term.of) >> BigInt(term.bits);
    case "left":
      return BigInt.asUintN(wordBits, of(term.of) << BigInt(term.bits));
  }
}

/** SMT-LIB text of a term of `wordBits` bits. */
export function smtTerm(term: Term, wordBits: number): string {
  const of = (each: Term): string => smtTerm(each, wordBits);
  switch (term.op) {
    case "word":
      return term.name;
    case "constant":
      return `(_ bv${BigInt.asUintN(wordBits, term.value)} ${wordBits})`;
    case "add":
      return term.terms.length === 1 ? of(term.terms[0]) : `(bvadd ${term.terms.map(of).join(" ")})`;
    case "multiply":
      return term.terms.length === 1 ? of(term.terms[0]) : `(bvmul ${term.terms.map(of).join(" ")})`;
    case "low":
      if (term.bits >= wordBits) return of(term.of);
      if (term.bits === 0) return smtTerm(constant(0), wordBits);
      return `((_ zero_extend ${wordBits - term.bits}) ((_ extract ${term.bits - 1} 0) ${of(term.of)}))`;
    case "shift":
      return `(bvlshr ${of(term.of)} (_ bv${Math.min(term.bits, wordBits)} ${wordBits}))`;
    case "left":
      return `(bvshl ${of(term.of)} (_ bv${Math.min(term.bits, wordBits)} ${wordBits}))`;
  }
}

const RELATIONS = { equal: "=", "at most": "bvule" } as const;

/** SMT-LIB text of a formula. */
export const smtFormula = ({ relation, left, right }: Formula, wordBits: number): string =>
  `(${RELATIONS[relation]} ${smtTerm(left, wordBits)} ${smtTerm(right, wordBits)})`;

/** Whether a formula holds of these values. */
export function holds(
  { relation, left, right }: Formula,
  values: Readonly<Record<string, bigint>>,
  wordBits: number,
): boolean {
  const [a, b] = [evaluate(left, values, wordBits), evaluate(right, values, wordBits)];
  return relation === "equal" ? a === b : a <= b;
}

/** Names of the free words of a formula. */
export function wordsOf({ left, right }: Formula): Set<string> {
  const names = new Set<string>();
  const visit = (term: Term): void => {
    if (term.op === "word") names.add(term.name);
    else if (term.op === "add" || term.op === "multiply") term.terms.forEach(visit);
    else if (term.op !== "constant") visit(term.of);
  };
  visit(left);
  visit(right);
  return names;
}
