/**
 * What partial results leave to explain once the tokens before a position are known, and which candidates explain it.
 *
 * Rows of one value head over the same keys, n of them unknown: G [rows, headDim + 1] = Σ_s w_s (v_s, 1)ᵀ has rank n. A candidate for one of
 * them is wholly known: its value v and its weights w follow from the public weights and the tokens before it. So it is right where
 * G - w (v, 1)ᵀ has rank n - 1 (Wedderburn's rank reduction, 1934), whatever the other unknown tokens are.
 */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { KeyPage } from "../sums/candidate-keys.ts";
import { without } from "../sums/subspace-scores.ts";
import type { MixedRow, MixedSum } from "../sums/mixed-rows.ts";
import { rowLogits, valueHeadOf } from "../sums/row-logits.ts";
import type { PositionEvidence } from "./position-evidence.ts";
import { tailEnergy } from "./tail-energy.ts";

/** One value head's part. */
interface HeadSums {
  readonly valueHead: number;
  readonly sums: readonly MixedRow[];
  /** G, [rows][headDim + 1], values in units of `valueSize`, weights as shares of each row's total */
  readonly rows: readonly Float64Array[];
  /** exp(logit - unit) · factor is a key's share of a row, [rows]; factors null: merged rows, whose totals are unknown. */
  readonly units: readonly number[];
  readonly factors: readonly number[] | null;
  /** What known keys explain, [rows][headDim + 1], in units of exp(unit); merged rows only. */
  readonly explained: readonly Float64Array[];
}

export class ResidualSums implements PositionEvidence {
  /** Keys that are unknown, the asked one among them. */
  readonly unknown: number;
  /** Numbers that a right candidate has to bring to zero, beyond what n - 1 unknown keys could explain. */
  readonly freedom: number;
  readonly #heads: readonly HeadSums[];
  readonly #attention: AttentionSpec;
  readonly #valueSize: number;

  private constructor(unknown: number, heads: readonly HeadSums[], attention: AttentionSpec, valueSize: number) {
    this.unknown = unknown;
    this.#heads = heads;
    this.#attention = attention;
    this.#valueSize = valueSize;
    this.freedom = sumOf(
      heads.map(({ rows, factors }) => freedomOf(rows.length, factors === null, unknown, attention)),
    );
  }

  /**
   * The rows that see `position` and as few unknown keys as possible; null where none sees it. `known`: keys and values of positions.
   */
  static of(
    sums: readonly MixedSum[],
    position: number,
    known: ReadonlyMap<number, KeyPage>,
    attention: AttentionSpec,
  ): ResidualSums | null {
    const seeing = sums.flatMap(({ rows }) => rows).filter(({ keys }) => keys.includes(position));
    if (seeing.length === 0) return null;
    const unknownOf = new Map(seeing.map((row) => [row, row.keys.filter((key) => !known.has(key))]));
    const unknown = Math.min(...[...unknownOf.values()].map(({ length }) => length));
    const [first] = [...unknownOf.values()].filter(({ length }) => length === unknown);
    const alike = seeing.filter((row) => unknownOf.get(row)!.join() === first.join());
    const valueSize = Math.sqrt(sumOf(alike.map(({ mean }) => energyOf(mean))) / (alike.length * attention.headDim));
    const isMerged = alike.some(({ mass }) => mass === null);
    const heads = Array.from({ length: attention.kvHeads }, (_, valueHead) => {
      const all = alike.filter((row) => valueHeadOf(attention, row) === valueHead);
      const own = isMerged && unknown > 1 ? mostTelling(all, unknown, attention) : all;
      return headSums(own, valueHead, known, attention, valueSize);
    });
    return new ResidualSums(unknown, heads, attention, valueSize);
  }

  /**
   * What candidates leave unexplained, root mean square over `freedom`; k, v [candidates, kvHeads·headDim]. At the level of rounding for
   * the right one. Without freedom nothing is said: NaN.
   */
  misfits({ k, v }: KeyPage): Float64Array {
    const { headDim, kvHeads } = this.#attention;
    const width = kvHeads * headDim;
    const left = new Float64Array(k.length / width);
    if (this.freedom === 0) return left.fill(NaN);
    for (const head of this.#heads) {
      const logits = head.sums.map((row) => rowLogits(this.#attention, row, k));
      for (let candidate = 0; candidate < left.length; candidate++) {
        const from = candidate * width + head.valueHead * headDim;
        const value = new Float64Array(headDim + 1).fill(1);
        for (let i = 0; i < headDim; i++) value[i] = v[from + i] / this.#valueSize;
        const weights = head.units.map((unit, r) => Math.exp(Math.min(logits[r][candidate] - unit, MAX_EXPONENT)));
        left[candidate] += this.#unexplained(head, weights, value);
      }
    }
    return left.map((energy) => Math.sqrt(energy / this.freedom));
  }

  /** Energy of G - w (v, 1)ᵀ outside of its n - 1 strongest directions; of merged rows as `mergedEnergy` says. */
  #unexplained({ rows, factors, explained }: HeadSums, weights: readonly number[], value: Float64Array): number {
    if (factors === null)
      return mergedEnergy(
        rows,
        explained.map((total, r) => plus(total, value, weights[r])),
        this.unknown,
      );
    return tailEnergy(
      rows.map((row, r) => plus(row, value, -weights[r] * factors[r])),
      this.unknown - 1,
    );
  }
}

/** Weights far above what rows were seen to have needn't be told apart. */
const MAX_EXPONENT = 30;

function headSums(
  sums: readonly MixedRow[],
  valueHead: number,
  known: ReadonlyMap<number, KeyPage>,
  attention: AttentionSpec,
  valueSize: number,
): HeadSums {
  const { headDim } = attention;
  const ofRows = sums.map((row) => {
    const seen = row.keys.filter((key) => known.has(key));
    const logits = seen.map((key) => rowLogits(attention, row, known.get(key)!.k)[0]);
    const unit = row.top ?? logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = new Float64Array(headDim + 1);
    seen.forEach((key, at) => {
      const weight = Math.exp(logits[at] - unit);
      const value = known.get(key)!.v;
      for (let i = 0; i < headDim; i++) total[i] += (weight * value[valueHead * headDim + i]) / valueSize;
      total[headDim] += weight;
    });
    return { unit: Number.isFinite(unit) ? unit : 0, total };
  });
  const units = ofRows.map(({ unit }) => unit);
  const means = sums.map(({ mean }) => Float64Array.from([...mean, 0], (x, i) => (i === headDim ? 1 : x / valueSize)));
  const totals = ofRows.map(({ total }) => total);
  const masses = sums.map(({ mass }) => mass);
  if (masses.every((mass) => mass !== null)) {
    const factors = masses.map((mass) => 1 / mass);
    return {
      valueHead,
      sums,
      units,
      factors,
      explained: totals,
      rows: means.map((mean, r) => plus(mean, totals[r], -factors[r])),
    };
  }
  return { valueHead, sums, units, factors: null, explained: totals, rows: means };
}

/** a + factor · b */
function plus(a: Float64Array, b: Float64Array, factor: number): Float64Array {
  return a.map((x, i) => x + factor * b[i]);
}

/**
 * Merged rows o_i = ζ_i (e_i + Σ w v), ζ_i unknown and e_i what is `explained`, the candidate's own part included: where n - 1 keys are
 * still unknown, some y has Σ y_i (o_i - ζ_i e_i) = 0, rows - n + 1 times over: whatever the ζ are, the o_i outside of the span of all
 * e_i have rank n - 1. For n = 1 every row says it alone.
 */
function mergedEnergy(rows: readonly Float64Array[], explained: readonly Float64Array[], unknown: number): number {
  if (unknown === 1) return sumOf(rows.map((row, r) => lineMisfit(row, explained[r])));
  const basis: Float64Array[] = [];
  for (const total of explained) {
    const size = norm(total);
    const rest = without(without(total, basis), basis);
    if (norm(rest) > LEAST_PART * size) basis.push(rest.map((x) => x / norm(rest)));
  }
  return tailEnergy(
    rows.map((row) => without(row, basis)),
    unknown - 1,
  );
}

/** A sum that lies so far inside the span of others adds only rounding to it. */
const LEAST_PART = 1e-6;

const energyOf = (vector: Float64Array): number => vector.reduce((sum, x) => sum + x * x, 0);

const norm = (vector: Float64Array): number => Math.sqrt(energyOf(vector));

/** Of many merged rows the last so many that `freedomOf` is largest: each more adds its total to the unknowns. */
function mostTelling(rows: readonly MixedRow[], unknown: number, { headDim }: AttentionSpec): readonly MixedRow[] {
  return rows.slice(-Math.max(unknown, Math.ceil((headDim + 1) / 2)));
}

/** Numbers that a right candidate brings to zero in one value head's rows. */
function freedomOf(rows: number, isMerged: boolean, unknown: number, { headDim }: AttentionSpec): number {
  const columns = headDim + 1;
  if (isMerged && unknown === 1) return rows * (columns - 1);
  const used = isMerged ? rows + unknown - 1 : unknown - 1; // dimensions that anything fits
  return Math.max(0, rows - unknown + 1) * Math.max(0, columns - used);
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Square of the part of a vector that no multiple of a direction explains. */
function lineMisfit(vector: Float64Array, direction: Float64Array): number {
  let [own, cross, size] = [0, 0, 0];
  for (let i = 0; i < vector.length; i++) {
    own += vector[i] ** 2;
    cross += vector[i] * direction[i];
    size += direction[i] ** 2;
  }
  return size === 0 ? own : Math.max(0, own - cross ** 2 / size);
}
