import type { PartyWire } from "../protocols/smpc/plan/gate.ts";
import { Generator } from "../shares/generator.ts";
import type { UniformWords } from "../shares/sharing.ts";
import type { Words } from "../shares/words.ts";
import { evaluate, type Term } from "./term.ts";

/** Words of `bits` bits that hold the edges of their range first and seeded ones after; the same ones for the same salt. */
export function spreadWords(count: number, bits: number, salt: number): Words {
  const words: Words = new BigUint64Array(count);
  new Generator("proofs", `words ${salt}`).fillWords(words, bits);
  const top = 1n << BigInt(Math.max(0, bits - 1));
  const edges = [0n, 1n, top - 1n, top, top + 1n, 2n * top - 1n, top >> 1n, (top >> 1n) - 1n];
  // Edges meet all others: rows that differ by salt are read against one another.
  for (let i = 0; i < Math.min(count, 32); i++)
    words[i] = BigInt.asUintN(bits, edges[Math.floor(i / (salt + 1)) % edges.length]);
  return words;
}

/** A source of seeded words, one in four of them an edge of its range; the streams of every draw are independent. */
export function edgeWords(seed: string): UniformWords {
  let draws = 0;
  return {
    fillWords(out, bits) {
      new Generator(`proofs ${seed}`, `draw ${draws++}`).fillWords(out, bits);
      const top = 1n << BigInt(Math.max(0, bits - 1));
      const edges = [0n, top - 1n, top, 2n * top - 1n];
      for (let i = 0; i < out.length; i++)
        if (out[i] % 4n === 0n) out[i] = BigInt.asUintN(bits, edges[Number((out[i] >> 2n) % 4n)]);
    },
  };
}

/**
 * Compares a party's output (a share) with a term of the statement, word by word, mod 2^bits. Throws Error that names the first word
 * where they differ: then what was proved is not what the code does.
 */
export function compareWords(
  what: string,
  out: Words | PartyWire,
  bits: number,
  model: (index: number) => { readonly term: Term; readonly values: Readonly<Record<string, bigint>> },
): void {
  if (!(out instanceof BigUint64Array)) throw new Error(`${what}: expected a share, got a wire`);
  out.forEach((found, index) => {
    const { term, values } = model(index);
    const expected = BigInt.asUintN(bits, evaluate(term, values, 64));
    if (BigInt.asUintN(bits, found) !== expected)
      throw new Error(
        `${what}, word ${index}: the statement says ${expected}, the gate computes ${BigInt.asUintN(bits, found)}`,
      );
  });
}
