/**
 * One query row's attention over a set of keys, as an attacker saw it, and the linear equations that it puts on the tokens under those
 * keys where keys and values are functions of (token, position): layer 0 in the clear.
 *
 * With w(s, v) = exp(a(s, v) - reference) for token v at position s, o the normalised output and z one-hot tokens:
 *   sum_{s,v} z w (V(v)_j - c_j) = e (o_j - c_j) for each head and coordinate j and any c; with c = o, whatever the normaliser e is;
 *   sum_{s,v} z w = e, where the unnormalised sum is known as well (partial results; not after a merge).
 * c = o suits exact dictionaries. Where w and V are estimates it favours tokens of little weight, which then have small equations.
 */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { pageLogits, type DictionaryPage } from "../matching/layer-zero-dictionary.ts";

export interface SumObservation {
  /** Of the query row. */
  readonly position: number;
  /** As the AttnNodes got it, [heads·headDim]. */
  readonly q: Float32Array;
  /** Positions of all keys in the sum. */
  readonly keys: readonly number[];
  /** o = u / e, [heads·headDim] */
  readonly output: Float64Array;
  /** c, [heads·headDim]: o itself, or another point where e is known. */
  readonly origin: Float64Array;
  /** m, [heads]: no key's logit is above it and one's is equal; null: unknown, as after a merge. */
  readonly maximum: Float64Array | null;
  /** e, [heads]; null: unknown. */
  readonly total: Float64Array | null;
  /** What weights are relative to, [heads]: m, or the row's own logit. */
  readonly reference: Float64Array;
}

/** Relative rounding of one word on the wire. */
export const WIRE_ROUNDING = { float32: 2 ** -24, float16: 2 ** -11 } as const;

/** Absolute error of a logit in float32, and so relative error of a weight. */
export const LOGIT_ERROR = 4e-6;

/** How far equations are from holding when the tokens are right, where a dictionary is an estimate: mean sizes, in shares of e. */
export interface Deviation {
  /** Of the equation of the sum of weights. */
  readonly total: number;
  /** Of the equation of a coordinate. */
  readonly coordinate: number;
}

/** What separates the sides of an equation when the tokens are right: rounding on that wire alone, or an estimate's deviation. */
export type Accuracy = keyof typeof WIRE_ROUNDING | Deviation;

/** Equations of an observation: per head first the total, then the coordinates. */
export const equationsPerHead = (headDim: number): number => headDim + 1;

/**
 * Coefficients of the one-hot columns of a page in the equations of an observation: [tokens, heads·(1 + headDim)], a token's after one
 * another.
 */
export function coefficients(engine: StageEngine, seen: SumObservation, page: DictionaryPage): Float64Array {
  const { heads, kvHeads, headDim } = engine.attention(0);
  const count = page.tokens.length;
  const logits = pageLogits(engine, seen.q, page);
  const equations = heads * equationsPerHead(headDim);
  const result = new Float64Array(count * equations);
  for (let h = 0; h < heads; h++) {
    const group = Math.floor((h * kvHeads) / heads);
    for (let at = 0; at < count; at++) {
      const weight = Math.exp(logits[h * count + at] - seen.reference[h]);
      const to = at * equations + h * equationsPerHead(headDim);
      const from = (at * kvHeads + group) * headDim;
      result[to] = weight;
      for (let j = 0; j < headDim; j++) result[to + 1 + j] = weight * (page.v[from + j] - seen.origin[h * headDim + j]);
    }
  }
  return result;
}

/** Right sides of an observation's equations, [heads·(1 + headDim)]; a total that isn't known is NaN. */
export function targets({ output, origin, total, reference }: SumObservation): Float64Array {
  const perHead = equationsPerHead(output.length / reference.length);
  return Float64Array.from({ length: reference.length * perHead }, (_, at) => {
    const h = Math.floor(at / perHead);
    if (at % perHead === 0) return total?.[h] ?? NaN;
    const coordinate = at - h - 1;
    const distance = output[coordinate] - origin[coordinate];
    return distance === 0 ? 0 : total![h] * distance;
  });
}

/**
 * How far the sides of an equation may differ when the tokens are right, [heads·(1 + headDim)]. `normaliser` [heads] is the sum of
 * weights where it is known or supposed; `valueScale` the size of values.
 */
export function tolerances(
  seen: SumObservation,
  normaliser: ArrayLike<number>,
  valueScale: number,
  accuracy: Accuracy,
): Float64Array {
  const heads = seen.reference.length;
  const headDim = seen.output.length / heads;
  const perHead = equationsPerHead(headDim);
  if (typeof accuracy === "object")
    return Float64Array.from({ length: heads * perHead }, (_, at) => {
      const size = at % perHead === 0 ? accuracy.total : accuracy.coordinate;
      return normaliser[Math.floor(at / perHead)] * size;
    });
  const rounding = WIRE_ROUNDING[accuracy];
  const result = new Float64Array(heads * perHead);
  for (let h = 0; h < heads; h++) {
    const at = h * perHead;
    result[at] = normaliser[h] * (rounding * (1 + Math.abs(seen.reference[h])) + LOGIT_ERROR);
    for (let j = 0; j < headDim; j++) {
      const output = Math.abs(seen.output[h * headDim + j]);
      result[at + 1 + j] = normaliser[h] * (2 * rounding * output + LOGIT_ERROR * (valueScale + output));
    }
  }
  return result;
}

/** Tokens of a page that no row's maximum rules out: a key whose logit is above m can't be in the sum. Indices into the page. */
export function belowMaximum(
  engine: StageEngine,
  observations: readonly SumObservation[],
  page: DictionaryPage,
  wire: keyof typeof WIRE_ROUNDING,
): number[] {
  const { heads } = engine.attention(0);
  const count = page.tokens.length;
  const kept = new Uint8Array(count).fill(1);
  for (const seen of observations) {
    if (seen.maximum === null || !seen.keys.includes(page.position)) continue;
    const logits = pageLogits(engine, seen.q, page);
    for (let h = 0; h < heads; h++) {
      const most = seen.maximum[h] + LOGIT_ERROR * 4 + WIRE_ROUNDING[wire] * 2 * Math.abs(seen.maximum[h]);
      for (let at = 0; at < count; at++) if (logits[h * count + at] > most) kept[at] = 0;
    }
  }
  return Array.from(kept.keys()).filter((at) => kept[at] === 1);
}
