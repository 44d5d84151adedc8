/** Distances of whole guesses of a gap and its visible token, with the tokens that guesses share run once. */
import type { Tensor } from "../../../layers/tensor.ts";
import type { CandidateToken, Chain, PrefixForward } from "../matching/prefix-forward.ts";
import { logProbabilities, orderByLogits } from "../matching/proposals.ts";
import type { RowMeasure } from "../matching/row-measure.ts";

/** Candidates of one run of the engine. */
const BATCH = 512;
/** Tokens of gaps that are kept with their keys; beyond that they are run again. */
const MOST_KEPT = 20_000;

/** What the model says after some tokens. */
export interface Proposals {
  /** Best first, [vocabulary]. */
  readonly order: Uint32Array;
  /** [vocabulary] */
  readonly logProbabilities: Float64Array;
}

export interface GapRow {
  readonly forward: PrefixForward;
  readonly layer: number;
  /** Unseen tokens between the prefix and the visible row. */
  readonly missing: number;
  /** Row of the visible token at the input of `layer`, [d]. */
  readonly observed: Float32Array | Float64Array;
  readonly measure: RowMeasure;
  /** Logits of a document's first token, for an empty prefix. */
  readonly opening: ArrayLike<number>;
}

export class GapEvaluator {
  readonly #row: GapRow;
  readonly #kept = new Map<string, CandidateToken>();
  readonly #proposals = new Map<string, Proposals>();

  constructor(row: GapRow) {
    this.#row = row;
  }

  /** Distance of each guess (missing tokens, then the visible one) to the observed row. */
  async distances(guesses: readonly (readonly number[])[]): Promise<Float64Array> {
    const out = new Float64Array(guesses.length);
    await this.rows(guesses, (rows, from) => out.set(this.#row.measure.distances(rows, this.#row.observed), from));
    return out;
  }

  /** Rows of guesses at the visible position, a batch at a time, [batch, d]; `from`: the first guess of the batch. */
  async rows(guesses: readonly (readonly number[])[], visit: (rows: Tensor, from: number) => void): Promise<void> {
    const { forward, layer, missing } = this.#row;
    const chains = await this.#chains(guesses, missing);
    for (let from = 0; from < guesses.length; from += BATCH) {
      const part = guesses.slice(from, from + BATCH);
      const tokens = part.map((guess) => guess[missing]);
      const batch = await forward.run(chains.slice(from, from + BATCH), tokens, layer);
      visit(batch.rows, from);
    }
  }

  /** What the model proposes after the prefix and these tokens. */
  async proposals(tokens: readonly number[]): Promise<Proposals> {
    const { forward, opening } = this.#row;
    const key = tokens.join(" ");
    const made = this.#proposals.get(key);
    if (made !== undefined) return made;
    const logits =
      tokens.length === 0 ? (forward.length === 0 ? opening : forward.nextLogits()) : await this.#logits(tokens);
    const proposals = { order: orderByLogits(logits), logProbabilities: logProbabilities(logits) };
    if (this.#proposals.size >= MOST_PROPOSALS) this.#proposals.clear();
    this.#proposals.set(key, proposals);
    return proposals;
  }

  async #logits(tokens: readonly number[]): Promise<ArrayLike<number>> {
    const { forward } = this.#row;
    let chain: Chain = [];
    for (const token of tokens.slice(0, -1)) {
      const batch = await forward.run([chain], [token], forward.engine.spec.layers, true);
      chain = [...chain, { batch, row: 0 }];
    }
    const last = await forward.run([chain], tokens.slice(-1), forward.engine.spec.layers);
    return (await forward.logits(last)).logits.data;
  }

  /** The run tokens of each guess's gap. */
  async #chains(guesses: readonly (readonly number[])[], missing: number): Promise<Chain[]> {
    const { forward, layer } = this.#row;
    if (this.#kept.size > MOST_KEPT) this.#kept.clear();
    const chains: CandidateToken[][] = guesses.map(() => []);
    for (let depth = 0; depth < missing; depth++) {
      const keys = guesses.map((guess) => keyOf(guess, depth, layer));
      const firsts = new Map<string, number>();
      keys.forEach((key, at) => {
        if (!this.#kept.has(key) && !firsts.has(key)) firsts.set(key, at);
      });
      const fresh = [...firsts];
      for (let from = 0; from < fresh.length; from += BATCH) {
        const part = fresh.slice(from, from + BATCH);
        const batch = await forward.run(
          part.map(([, at]) => [...chains[at]]),
          part.map(([, at]) => guesses[at][depth]),
          layer,
          true,
        );
        part.forEach(([key], row) => this.#kept.set(key, { batch, row }));
      }
      keys.forEach((key, at) => chains[at].push(this.#kept.get(key)!));
    }
    return chains;
  }
}

/** What is kept of what the model says: a vocabulary each. */
const MOST_PROPOSALS = 64;

/** At layer 1 only keys of layer 0 count, which know the token and its position alone; later ones know all tokens before. */
const keyOf = (guess: readonly number[], depth: number, layer: number): string =>
  layer === 1 ? `${depth} ${guess[depth]}` : guess.slice(0, depth + 1).join(" ");
