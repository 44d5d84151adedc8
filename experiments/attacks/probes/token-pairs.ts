/** How often one token stands `offset` after another in public text: the baseline that rows must beat to say anything of a neighbour. */
export class TokenPairs {
  readonly offset: number;
  readonly #followers = new Map<number, Map<number, number>>();
  /** Log of each token's share of the text, half an occurrence added; [vocabulary]. */
  readonly unigram: Float64Array;

  /** Counts the tokens at t + offset beside those at t (`offset` may be negative), within documents. */
  constructor(documents: readonly (readonly number[])[], offset: number, vocabulary: number) {
    this.offset = offset;
    const counts = new Float64Array(vocabulary).fill(0.5);
    for (const ids of documents)
      ids.forEach((id, t) => {
        counts[id]++;
        const other = ids[t + offset];
        if (other === undefined) return;
        let followers = this.#followers.get(id);
        if (followers === undefined) this.#followers.set(id, (followers = new Map<number, number>()));
        followers.set(other, (followers.get(other) ?? 0) + 1);
      });
    const total = counts.reduce((a, b) => a + b, 0);
    this.unigram = counts.map((count) => Math.log(count / total));
  }

  /**
   * Log probability of each token at t + offset where `id` stands at t, [vocabulary]: counts mixed with the unigram by Witten and Bell's
   * rule (as much weight on the unigram as there are different neighbours).
   */
  given(id: number): Float64Array {
    const followers = this.#followers.get(id);
    if (followers === undefined) return this.unigram.slice();
    let total = 0;
    for (const count of followers.values()) total += count;
    const share = Math.log(followers.size / (total + followers.size));
    const logs = this.unigram.map((log) => log + share);
    for (const [other, count] of followers)
      logs[other] = Math.log(Math.exp(logs[other]) + count / (total + followers.size));
    return logs;
  }
}
