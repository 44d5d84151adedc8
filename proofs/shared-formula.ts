/**
 * What every party computes from its own words, as one formula, and what it must add up to: for all widths at once, or for some.
 *
 * For all widths, powers of two are free words. M stands for 2^K, P for 2^k of a wire, and so on, in words mod 2^64: an identity of
 * polynomials in them that holds for all words holds for these, and a multiple of M is nothing mod 2^K. A word that is dealt mod 2^b and
 * used times 2^e adds up to its value times 2^e and a multiple of 2^(b + e), so of M where b + e >= K, which `checkDealt` looks after;
 * where the gate deals nothing because e >= K, the value times 2^e is a multiple of M itself. Two parties are enough: the formula of all
 * parties but the first is linear in their words (`merge`), so that any number of them is as one with the sums of their words.
 */
import type { DealtWords } from "../protocols/smpc/plan/gate.ts";
import type { Formula, Term } from "./term.ts";
import { add, constant, equal, multiply, subtract, times2, word } from "./term.ts";
import type { Query } from "./lemma.ts";

/** A party's computation and its meaning. Words of `values` and `truth` are public words, or words of the dealer. */
export interface SharedFormula {
  /**
   * A party's share of the result of its own words: shares and masks, and dealt words times the power of two that they are used with. The
   * first party adds what is public.
   */
  readonly share: (isFirst: boolean, at: (name: string) => Term) => Term;
  /** What the parties' words add up to. */
  readonly values: Readonly<Record<string, Term>>;
  /** What the shares must add up to. */
  readonly truth: Term;
}

/** What may be got wrong, so that a test can see the lemma fail: bits that the words of one name lack. */
export interface FormulaFaults {
  readonly word?: string;
  readonly missingBits?: number;
}

/** M: 2^K of any K, an even word. */
export const MODULUS = times2(1, word("halfOfM"));

const named = (prefix: string, name: string): Term => word(`${prefix}_${name.replaceAll(/[^A-Za-z0-9]/g, "_")}`);

/** The formula adds up to the truth mod M whatever M is, and any number of parties is as two. */
export function everyWidthQueries(name: string, formula: SharedFormula, faults: FormulaFaults = {}): Query[] {
  const { share, values, truth } = formula;
  const modulus = (each: string): Term =>
    each === faults.word && faults.missingBits === 1 ? word("halfOfM") : MODULUS;
  const first = (each: string): Term => named("first", each);
  const above = (each: string): Term => named("above", each);
  const second = (each: string): Term => subtract(add(values[each], multiply(modulus(each), above(each))), first(each));
  const other = (each: string): Term => named("other", each);
  const whole = { wordBits: 64, assume: [] } as const;
  return [
    {
      ...whole,
      name: `sum, ${name}`,
      claim: equal(add(share(true, first), share(false, second)), add(truth, multiply(MODULUS, share(false, above)))),
    },
    {
      ...whole,
      name: `merge, ${name}`,
      claim: equal(
        add(share(false, first), share(false, other)),
        share(false, (each) => add(first(each), other(each))),
      ),
    },
  ];
}

/** The formula of two parties in one ring; `dealtBits`: to which power of two the words of a name add up, K or more where they are not in it. */
export function oneWidthQuery(
  name: string,
  { share, values, truth }: SharedFormula,
  ringBits: number,
  setting: { readonly dealtBits: Readonly<Record<string, number>>; readonly assume: readonly Formula[] },
): Query {
  const first = (each: string): Term => named("first", each);
  const second = (each: string): Term => {
    const bits = setting.dealtBits[each] ?? ringBits;
    const above = bits < ringBits ? times2(bits, named("above", each)) : constant(0);
    return subtract(add(values[each], above), first(each));
  };
  return {
    name,
    wordBits: ringBits,
    assume: setting.assume,
    claim: equal(add(share(true, first), share(false, second)), truth),
  };
}

/**
 * Does a gate deal every word with as many bits as the formula needs? `exponents`: the power of two that each dealt word is used with.
 * Throws Error naming the first that is too short, or that the formula doesn't have.
 */
export function checkDealt(
  what: string,
  dealt: readonly DealtWords[],
  ringBits: number,
  exponents: Readonly<Record<string, number>>,
): void {
  const unknown = dealt.find(({ name }) => !(name in exponents));
  if (unknown !== undefined) throw new Error(`${what}: expected words of the formula to be dealt, got ${unknown.name}`);
  for (const [name, exponent] of Object.entries(exponents)) {
    const bits = dealt.find((array) => array.name === name)?.bits ?? 0;
    if (bits + exponent < ringBits)
      throw new Error(`${what}: expected ${ringBits - exponent} bits of ${name}, got ${bits} dealt`);
  }
}
