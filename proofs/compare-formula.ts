import type { AnyInstruction, Gate } from "../protocols/smpc/plan/gate.ts";
import { compareWords } from "./conformance.ts";
import { runGateCode, type GateSetting } from "./gate-walk.ts";
import type { SharedFormula } from "./shared-formula.ts";
import { constant, times2, word, type Term } from "./term.ts";

/** A run of a gate that is held against a formula. */
export interface ComparedRun<I extends AnyInstruction> extends GateSetting {
  readonly what: string;
  readonly gate: Gate<I>;
  readonly instruction: NoInfer<I>;
  readonly ringBits: number;
  /** Its powers of two are numbers here. */
  readonly formula: SharedFormula;
  /** The power of two that each dealt word is used with. */
  readonly exponents: Readonly<Record<string, number>>;
  /** Public words and the dealer's, at one element of the output. */
  words(index: number): Readonly<Record<string, bigint>>;
  /** A party's words that aren't dealt, at one element of the output. */
  own(party: number, index: number): Readonly<Record<string, bigint>>;
  /** Where an array's word for one element lies; by default as far on. */
  readonly placeOf?: (name: string, index: number) => number;
}

/**
 * Runs a gate as dealer and parties and compares, element by element mod 2^ringBits: what the dealer deals with the formula's values, and
 * every party's share with the formula. Throws Error that names the first word where they differ.
 */
export async function compareFormula<I extends AnyInstruction>(run: ComparedRun<I>): Promise<void> {
  const { what, gate, instruction, ringBits, formula, exponents } = run;
  const placeOf = run.placeOf ?? ((_: string, index: number) => index);
  const { dealt, values, outputs } = await runGateCode(gate, instruction, run);
  const elements = outputs[0] instanceof BigUint64Array ? outputs[0] : new BigUint64Array(0);
  for (const [name, words] of values) {
    const term = formula.values[name];
    // Every element's word of this array, some of them more than once.
    const used = elements.map((_, index) => words[placeOf(name, index)] << BigInt(exponents[name]));
    compareWords(`${what}, dealt ${name}`, used, ringBits, (index) => ({ term, values: run.words(index) }));
  }
  const at = (name: string): Term => {
    if (!(name in exponents)) return word(name);
    return dealt.has(name) ? times2(exponents[name], word(name)) : constant(0);
  };
  outputs.forEach((out, party) => {
    const term = formula.share(party === 0, at);
    compareWords(`${what}, party ${party}`, out, ringBits, (index) => ({
      term,
      values: {
        ...run.words(index),
        ...Object.fromEntries([...dealt].map(([name, shares]) => [name, shares[party][placeOf(name, index)]])),
        ...run.own(party, index),
      },
    }));
  });
}
