/** The equations of a window: what its rows say, less what known keys explain, and how exactly their words say it. */
import type { CandidateKeys, KeyPage, RowWord } from "../sums/candidate-keys.ts";
import type { MixedRow } from "../sums/mixed-rows.ts";
import { rowLogits, valueHeadOf } from "../sums/row-logits.ts";

/**
 * Noise: of a mean, as a share of the values' size; of a logit, absolute (a weight's relative error); of `top`, as a share of its size.
 * Units in the last place (2^-24, 2^-11) times what sums of tens of terms make of them.
 */
const NOISE: Readonly<Record<RowWord, { readonly mean: number; readonly logit: number; readonly top: number }>> = {
  float32: { mean: 3e-7, logit: 2e-6, top: 2 ** -23 },
  float16: { mean: 4e-4, logit: 1e-3, top: 2 ** -11 },
};

/** Weights far above the largest that was seen needn't be told apart. */
const MAX_EXPONENT = 30;

/** What is decoded, and what it is decoded against. */
export interface WindowProblem {
  readonly keys: CandidateKeys;
  readonly word: RowWord;
  /** Rows that see at least one of the positions. */
  readonly rows: readonly MixedRow[];
  readonly positions: readonly number[];
  /** Tokens of all other positions that the rows see. */
  readonly known: ReadonlyMap<number, number>;
  /** [vocabulary] */
  readonly logPrior: Float64Array;
}

export class WindowEquations {
  readonly problem: WindowProblem;
  /** Equations of a row: headDim of values, then that of the mass. */
  readonly columns: number;
  /** What the known keys leave to explain, [rows][columns]. */
  readonly target: Float64Array;
  /** Σ w of the known keys, [rows] */
  readonly knownMass: Float64Array;
  /** Values of the known keys that are seen, [kvHeads·headDim] each, by position. */
  readonly knownValues = new Map<number, Float32Array>();
  /** Units of the weights' exponents, [rows]. */
  readonly #tops: Float64Array;

  private constructor(problem: WindowProblem) {
    this.problem = problem;
    const { rows, keys } = problem;
    this.columns = keys.attention.headDim + 1;
    this.target = new Float64Array(rows.length * this.columns);
    this.knownMass = new Float64Array(rows.length);
    this.#tops = Float64Array.from(rows, ({ top }) => top ?? -Infinity);
  }

  /** Subtracts what the known keys explain. */
  static async of(problem: WindowProblem): Promise<WindowEquations> {
    const equations = new WindowEquations(problem);
    await equations.#subtractKnown();
    return equations;
  }

  /** The value head of a row. */
  group(r: number): number {
    return valueHeadOf(this.problem.keys.attention, this.problem.rows[r]);
  }

  /** w of every token at a position, by row; null where the row doesn't see it. */
  weightsAt(position: number, { k }: KeyPage): (Float64Array | null)[] {
    const { keys, rows } = this.problem;
    return rows.map((row, r) => {
      if (!row.keys.includes(position)) return null;
      const of = rowLogits(keys.attention, row, k);
      for (let token = 0; token < of.length; token++)
        of[token] = Math.exp(Math.min(of[token] - this.#tops[r], MAX_EXPONENT));
      return of;
    });
  }

  /** Variances of a row's value equations and of its mass equation, from its words alone, at a mass. */
  noise(r: number, mass: number): { mean: number; mass: number } {
    const { keys, word } = this.problem;
    const size = Math.abs(mass);
    return { mean: (NOISE[word].mean * keys.valueSize * size) ** 2, mass: (this.#weightNoise(r) * size) ** 2 };
  }

  /** The largest weight that a key can have in a row, noise allowed for: that of the largest key is 1 where it was seen. */
  largestWeight(r: number): number {
    return this.problem.rows[r].top === null ? Infinity : 1 + 4 * this.#weightNoise(r);
  }

  /** Root mean square of each row's equations in units of their noise, after what `parts` [rows][columns] explain. */
  residuals(parts: Iterable<Float64Array>): number[] {
    const { rows } = this.problem;
    const rest = this.target.slice();
    const mass = this.knownMass.slice();
    const last = this.columns - 1;
    for (const part of parts) {
      for (let at = 0; at < rest.length; at++) rest[at] -= part[at];
      for (let r = 0; r < rows.length; r++) mass[r] += part[r * this.columns + last];
    }
    return rows.map((row, r) => {
      const noise = this.noise(r, row.mass ?? mass[r]);
      let sum = 0;
      for (let i = 0; i < last; i++) sum += rest[r * this.columns + i] ** 2;
      const ofMass = row.mass === null ? 0 : rest[r * this.columns + last] ** 2 / noise.mass;
      return Math.sqrt(Math.max(sum / last / noise.mean, ofMass));
    });
  }

  #weightNoise(r: number): number {
    const { logit, top } = NOISE[this.problem.word];
    return logit + top * Math.abs(this.#tops[r]);
  }

  async #subtractKnown(): Promise<void> {
    const { keys, rows, known } = this.problem;
    const seen = new Set(rows.flatMap((row) => row.keys));
    const logits = new Map<number, Float64Array>(); // known position -> [rows]
    for (const [position, token] of known) {
      if (!seen.has(position)) continue;
      const { k, v } = await keys.of(token, position);
      this.knownValues.set(position, v);
      const own = rows.map((row) => (row.keys.includes(position) ? rowLogits(keys.attention, row, k)[0] : NaN));
      logits.set(position, Float64Array.from(own));
    }
    // A merged row doesn't tell its largest logit: the largest known one is the unit.
    for (const at of logits.values())
      rows.forEach(({ top }, r) => {
        if (top === null && at[r] > this.#tops[r]) this.#tops[r] = at[r];
      });
    this.#tops.forEach((top, r) => {
      if (top === -Infinity) this.#tops[r] = 0;
    });
    rows.forEach((row, r) => {
      if (row.mass !== null) this.target[(r + 1) * this.columns - 1] = row.mass;
    });
    for (const [position, at] of logits)
      rows.forEach((_, r) => {
        if (!Number.isNaN(at[r])) this.#explain(r, Math.exp(at[r] - this.#tops[r]), this.knownValues.get(position)!);
      });
  }

  #explain(r: number, weight: number, v: Float32Array): void {
    const row = this.problem.rows[r];
    const last = this.columns - 1;
    const [from, at] = [this.group(r) * last, r * this.columns];
    for (let i = 0; i < last; i++) this.target[at + i] -= weight * (v[from + i] - row.mean[i]);
    if (row.mass !== null) this.target[at + last] -= weight;
    this.knownMass[r] += weight;
  }
}
