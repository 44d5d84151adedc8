import type { GateName } from "../protocols/smpc/plan/instruction.ts";
import { holds, smtFormula, wordsOf, type Formula } from "./term.ts";

/** One question to the solver: does `claim` hold for all words that meet `assume`? */
export interface Query {
  readonly name: string;
  /** Width of the words of this query; arithmetic is mod 2^wordBits. */
  readonly wordBits: number;
  readonly assume: readonly Formula[];
  readonly claim: Formula;
}

/** A lemma, or a statement that must not hold. */
export interface Lemma {
  readonly name: string;
  /** What is said, in plain words. */
  readonly statement: string;
  /** "proved": every query must hold. "refuted": every query must have a counterexample. */
  readonly expected: "proved" | "refuted";
  /** Gates whose computation it is about; none for what must not hold. */
  readonly gates: readonly GateName[];
  /** Widths that it is said for, for people. */
  readonly widths: string;
  readonly queries: readonly Query[];
  /** Compares the statement's model of a gate with what the gate computes; throws Error where they differ. Null: nothing to compare. */
  readonly conform: (() => void | Promise<void>) | null;
}

/** SMT-LIB texts of a query. */
export interface QueryText {
  readonly name: string;
  /** What must have a solution, or the query says nothing; null where nothing is assumed. */
  readonly premises: string | null;
  /** What a counterexample must satisfy: where nothing does, the query holds. */
  readonly counterexample: string;
}

/** A query as the solver reads it. */
export function queryText({ name, wordBits, assume, claim }: Query): QueryText {
  const words = new Set([...assume, claim].flatMap((formula) => [...wordsOf(formula)]));
  const premises = [
    ...[...words].map((each) => `(declare-const ${each} (_ BitVec ${wordBits}))`),
    ...assume.map((formula) => `(assert ${smtFormula(formula, wordBits)})`),
  ].join("\n");
  const refutation = `(assert (not ${smtFormula(claim, wordBits)}))`;
  return { name, premises: assume.length === 0 ? null : premises, counterexample: `${premises}\n${refutation}` };
}

/** Whether a model, as the solver prints it, is a counterexample: checked without the solver. Words that it leaves out may be anything. */
export function isCounterexample({ wordBits, assume, claim }: Query, model: string): boolean {
  const values: Record<string, bigint> = {};
  for (const name of [...assume, claim].flatMap((formula) => [...wordsOf(formula)])) values[name] = 0n;
  for (const [, name, base, digits] of model.matchAll(/(\S+) -> #([xb])([0-9a-f]+)/g))
    values[name] = BigInt(`0${base}${digits}`);
  return assume.every((formula) => holds(formula, values, wordBits)) && !holds(claim, values, wordBits);
}
