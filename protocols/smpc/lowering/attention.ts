/**
 * Attention without a maximum and without a comparison: logits relative to a visible key, a ladder of temperatures whose last rung
 * is the row's log-sum-exp, weights that come out normalised (smpc.md, gates 6 and 7). Two rounds a rung, rows only. Where the ladder ends
 * at a higher temperature, squarings follow (square-softmax.ts).
 */
import type { AttentionSpec } from "../../../layers/program.ts";
import { prefixVectors, type PrefixVectors } from "../factors/prefix-vectors.ts";
import { entryCount, type AttentionLayout, type PublicRows } from "../plan/attention-layout.ts";
import { MAX_RING_BITS } from "../../../shares/words.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import type { ValueId } from "../plan/value.ts";
import { rowFit } from "../fit/row-series.ts";
import { softCapped } from "./activation.ts";
import type { ExpChoice } from "./exp-choice.ts";
import { logitSpan } from "./ladder.ts";
import { lateWire, lowerLate, type LateSum } from "./late-normalisation.ts";
import { bitsAbove, narrowBits, type Lowered, type Lowering } from "./lowering.ts";
import { lowerRowFunction } from "./norm.ts";
import { rangeText, type SiteRange } from "./ranges.ts";
import { chooseSoftmax } from "./softmax-choice.ts";
import { lowerSquarings } from "./square-softmax.ts";
import { checkWraps, WRAP_BITS } from "./wrap-check.ts";

export interface AttentionPlace {
  readonly layer: number;
  /** Keys of the public prefix. */
  readonly prefix: number;
  /** Secret rows of the steps before. */
  readonly past: number;
  /** Most rows that the session can have, the prefix included: what the plans of its steps are sized for. */
  readonly sequenceLimit: number;
}

/** Bound of attention outputs that Precision's fractional bits are for; smaller ones get more. */
const ATTENDED_REACH = 4;
const MOST_MORE_BITS = 8;

/** softmax(scale q k' + mask) v for the new rows; keys and values are kept for later steps. Out [rows, heads * headDim]. */
export function lowerAttention(
  at: Lowering,
  spec: AttentionSpec,
  { q, k, v }: { readonly q: Lowered; readonly k: Lowered; readonly v: Lowered },
  place: AttentionPlace,
): Lowered {
  const { builder, precision } = at;
  const { heads, kvHeads, headDim, causal, window } = spec;
  const { prefix, past } = place;
  const layout: AttentionLayout = { heads, kvHeads, headDim, prefix, queries: at.rows, past, causal, window };
  const logits = at.site("logits");
  const attended = at.site("attended");
  const [queries, keys] = [unscaled(at, q), unscaled(at, k)];
  const scale = spec.scale * queries.factor * keys.factor; // logit = scale * (q . k) of the words' real numbers
  const capped = spec.softCap !== null;

  // Values first: their wire is as wide as the product with the weights.
  // Values that are small have as many bits as values of ATTENDED_REACH: a model's first layer may lie ten times below the others.
  const reach = Math.max(attended.range.maxAbs, ATTENDED_REACH / 2 ** MOST_MORE_BITS);
  const small = Math.max(0, bitsAbove(ATTENDED_REACH) - bitsAbove(reach));
  const [valueFracBits, attendedFracBits] = [precision.valueFracBits + small, precision.attendedFracBits + small];
  const attendedBits = narrowBits(attended.range.maxAbs, attendedFracBits);
  // A certified range needs no check.
  const wrapBits = attended.range.range === "certified" ? 0 : WRAP_BITS;
  const mixBits = attendedBits + wrapBits + precision.weightFracBits + valueFracBits - attendedFracBits;
  const lateMixBits = (sum: LateSum): number =>
    lateWire(sum, attended.range.maxAbs, attendedFracBits).bits +
    wrapBits +
    precision.weightFracBits +
    valueFracBits -
    attendedFracBits;

  // The wire that the weights share with the values, which is as wide at least where rows are normalised late.
  at.moveTo(attended.site, rangeText("attended", attended.range));
  if (mixBits > MAX_RING_BITS)
    throw new RingBudgetError(`expected a wire of at most ${MAX_RING_BITS} bits, got ${mixBits}`);
  at.moveTo(logits.site, rangeText("logits", logits.range));
  const keyCount = 2 ** Math.ceil(Math.log2(Math.max(2, place.sequenceLimit)));
  const keyInSight = !capped && (window === null || place.sequenceLimit <= window);
  const span = logitSpan(logits.range, keyCount, keyInSight);
  // A raw logit is q . k; with a soft cap the opened wire holds capped logits, whose scale is 1.
  const wireScale = capped ? 1 : scale;
  const fracBits = precision.logitFracBits + Math.round(Math.log2(wireScale));
  const choice = chooseSoftmax(precision, { span, keyCount, mixBits, lateMixBits, scale: wireScale, fracBits });
  const { temperatures, demands, exps, squarings, rowSum, late } = choice;
  const weightBits = late === null ? mixBits : lateMixBits(late.sum);
  at.moveTo(attended.site, rangeText("attended", attended.range));
  const values = keep(at, at.open(at.settle(v), valueFracBits, weightBits), `layers.${place.layer}.v`, past);
  at.moveTo(logits.site, rangeText("logits", logits.range));
  const wireBits = choice.periodBits + fracBits;

  const scores = lowerScores(at, layout, {
    q: queries.id,
    k: span.keyPivot ? pivot(at, keys, place) : keys.id,
    scale,
    key: `layers.${place.layer}.k`,
    past,
    prefix: publicRows(place, span.keyPivot ? "pivoted" : "k", 1 / keys.factor),
    opened: capped ? null : { fracBits, bits: wireBits },
    softCap: spec.softCap,
    site: logits.site,
    range: logits.range,
  });
  let entries = at.open(scores, fracBits, wireBits);
  builder.site({
    site: logits.site,
    value: entries,
    bound: 2 ** choice.periodBits * wireScale,
    range: logits.range.range,
  });
  if (!span.keyPivot) entries = difference(at, layout, entries, diagonal(at, layout, entries));

  // The ladder: L accumulates t log(sum exp((x - L) / t)), in raw units; what the last weights sum up to is taken off by the last rung.
  const unit = 2 ** squarings.length / wireScale; // of temperatures
  const rows = heads * at.rows;
  const levels: ValueId[] = [];
  let relative = entries;
  const rungs = late === null ? temperatures : temperatures.slice(0, -1);
  rungs.forEach((t, rung) => {
    const factor = t * unit;
    const sums = exponentials(at, layout, relative, exps[rung], factor);
    const sum = builder.share(rows, 1, builder.info(sums).fracBits);
    builder.emit({ gate: "row-sum", x: sums, out: sum, layout });
    const { from, to, bits, maxError } = demands[rung].sum!;
    const inputFracBits = bits - Math.floor(Math.log2(from));
    const f = { name: `${factor} log`, kind: "log", factor, shift: 0 } as const;
    const logarithm = at.series(rowFit(f, { from, to, maxError }), inputFracBits);
    // Taken off by the last of them, in units of temperature 1 where the weights are normalised late.
    const rest = late === null ? -factor * Math.log(rowSum) : unit * Math.log(late.top);
    const isLast = rung === rungs.length - 1;
    const series = isLast ? { ...logarithm, constant: logarithm.constant + rest } : logarithm;
    const { share, outputFracBits } = lowerRowFunction(at, sum, series, {
      inputFracBits,
      outputFracBits: fracBits + 2,
      error: Math.max((factor * maxError) / 2, 2 ** -(fracBits + 3)),
    });
    levels.push(at.atFracBits(share, outputFracBits));
    const level = at.open(at.combine(levels), fracBits, wireBits);
    relative = difference(at, layout, entries, level);
  });

  let weights = exponentials(at, layout, relative, exps[exps.length - 1], unit);
  if (late !== null) {
    at.moveTo(attended.site, rangeText("attended", attended.range));
    return lowerLate(at, {
      layout,
      weights,
      values,
      attended,
      attendedFracBits,
      wrapBits,
      sum: late.sum,
      prefix: publicRows(place, "v", 1),
      mixBits: weightBits,
      logitsSite: logits.site,
    });
  }
  if (squarings.length > 0) {
    checkRowSums(at, layout, weights, { ...START_CHECK, expected: rowSum, site: logits.site });
    weights = lowerSquarings(at, layout, weights, squarings, logits.site);
  }
  checkRowSums(at, layout, weights, { ...WEIGHT_CHECK, site: logits.site });
  at.moveTo(attended.site, rangeText("attended", attended.range));
  const p = at.open(weights, precision.weightFracBits, mixBits);
  const mixed = builder.share(at.rows, heads * headDim, precision.weightFracBits + valueFracBits);
  builder.emit({ gate: "mix", p, v: values, out: mixed, layout, ...publicRows(place, "v", 1) });
  const words = at.atFracBits(mixed, attendedFracBits);
  const wire = at.openNarrow(words, attendedFracBits, attended.range.maxAbs, attended.site, attended.range.range);
  const extended = at.extend(wire);
  if (wrapBits > 0) checkWraps(at, { words, extended, bits: attendedBits, site: attended.site });
  return at.value(extended);
}

/** A share whose pending factor is left to the logits' scale. */
function unscaled(at: Lowering, x: Lowered): { id: ValueId; factor: number } {
  if (x.gain === null && x.bias === null) return { id: x.id, factor: x.factor };
  return { id: at.settle(x), factor: 1 };
}

/** What the gates call a public prefix's rows, divided by a factor that is left to the scale; nothing where there is none. */
function publicRows(
  { layer, prefix }: AttentionPlace,
  rows: keyof PrefixVectors,
  factor: number,
): { readonly prefix?: PublicRows } {
  return prefix === 0 ? {} : { prefix: { vector: prefixVectors(layer)[rows], factor } };
}

function pivot(at: Lowering, { id, factor }: { id: ValueId; factor: number }, place: AttentionPlace): ValueId {
  const { rows, columns, fracBits } = at.builder.info(id);
  const out = at.builder.share(rows, columns, fracBits);
  const key = `layers.${place.layer}.pivot`;
  const { prefix: row } = publicRows(place, "pivot", 1 / factor);
  at.builder.emit({
    gate: "pivot",
    x: id,
    out,
    key,
    firstPosition: place.past,
    ...(row === undefined ? {} : { row }),
  });
  return out;
}

/** The wire after those of the steps before, and kept for the next. */
function keep(at: Lowering, x: ValueId, key: string, past: number): ValueId {
  const info = at.builder.info(x);
  if (info.kind !== "wire") throw new Error(`${key}: expected a wire, got a share`);
  const out = at.builder.wire(past + info.rows, info.columns, info.fracBits, info.bits);
  at.builder.emit({ gate: "append", x, out, key });
  return out;
}

interface ScoreSetting {
  readonly q: ValueId;
  readonly k: ValueId;
  readonly scale: number;
  readonly key: string;
  /** Secret rows of the steps before. */
  readonly past: number;
  readonly prefix: { readonly prefix?: PublicRows };
  /** How the scores will be opened; null: they go through a soft cap first. */
  readonly opened: { readonly fracBits: number; readonly bits: number } | null;
  readonly softCap: number | null;
  readonly site: string;
  readonly range: SiteRange;
}

/** Shares of the logits of all visible entries, soft cap applied. */
function lowerScores(at: Lowering, layout: AttentionLayout, setting: ScoreSetting): ValueId {
  const { builder, precision } = at;
  const queryFracBits = precision.queryFracBits + Math.round(Math.log2(setting.scale));
  const { keyFracBits } = precision;
  const fracBits = queryFracBits + keyFracBits;
  // The product must be right in as many bits as its opening reads after the shift.
  const bits =
    setting.opened === null
      ? cappedBits(precision.logitFracBits, setting, fracBits)
      : setting.opened.bits + fracBits - setting.opened.fracBits;
  const q = at.open(setting.q, queryFracBits, bits);
  const k = keep(at, at.open(setting.k, keyFracBits, bits), setting.key, setting.past);
  const scores = builder.share(entryCount(layout), 1, fracBits);
  builder.emit({ gate: "scores", q, k, out: scores, layout, ...setting.prefix });
  if (setting.softCap === null) return scores;
  const { softCap: cap, scale, site, range } = setting;
  return softCapped(at, scores, { cap, scale, site, bound: range.maxAbs, range: range.range });
}

/** Bits of a product whose capped logits are opened with the period of tanh's series. */
function cappedBits(logitFracBits: number, { scale, range }: ScoreSetting, fracBits: number): number {
  const openedFracBits = logitFracBits + Math.round(Math.log2(scale));
  // tanhSeries chooses a period of at most eight bounds.
  return (
    Math.ceil(Math.log2(Math.max(range.maxAbs / scale, 2 ** -openedFracBits))) +
    3 +
    openedFracBits +
    (fracBits - openedFracBits)
  );
}

function diagonal(at: Lowering, layout: AttentionLayout, entries: ValueId): ValueId {
  const info = at.builder.info(entries);
  if (info.kind !== "wire") throw new Error("diagonal: expected a wire, got a share");
  const out = at.builder.wire(layout.heads * layout.queries, 1, info.fracBits, info.bits);
  at.builder.emit({ gate: "diagonal", x: entries, out, layout });
  return out;
}

function difference(at: Lowering, layout: AttentionLayout, entries: ValueId, row: ValueId): ValueId {
  const info = at.builder.info(entries);
  if (info.kind !== "wire") throw new Error("row-difference: expected a wire, got a share");
  const out = at.builder.wire(info.rows, 1, info.fracBits, info.bits);
  at.builder.emit({ gate: "row-difference", x: entries, row, out, layout });
  return out;
}

function exponentials(
  at: Lowering,
  layout: AttentionLayout,
  x: ValueId,
  choice: ExpChoice,
  temperature: number,
): ValueId {
  const { from, windows, tableFracBits, wordFracBits } = choice;
  const out = at.builder.share(entryCount(layout), 1, tableFracBits + wordFracBits);
  at.builder.emit({ gate: "exp", x, out, temperature, from, windows, tableFracBits, wordFracBits });
  return out;
}

/** A check of row sums: how much of them goes out, and what they must be. */
interface SumCheck {
  readonly name: string;
  readonly bits: number;
  readonly expected: number;
  readonly tolerance: number;
}

/** Fractional bits of a row's sum of weights, as its owner sees it: enough to tell 1 from a row that left its range. */
const CHECK_FRAC_BITS = 7;
const WEIGHT_CHECK: SumCheck = { name: "check", bits: 12, expected: 1, tolerance: 0.1 };
/** In front of squarings: in the ring [-1, 1) that their wire has anyway. */
const START_CHECK: Omit<SumCheck, "expected"> = { name: "check.start", bits: CHECK_FRAC_BITS + 1, tolerance: 0.1 };

/** Every row of weights sums to 1 if its logits stayed in range: the sum goes out with the rows, and their owner checks it. */
function checkRowSums(
  at: Lowering,
  layout: AttentionLayout,
  weights: ValueId,
  { name, bits, expected, tolerance, site }: SumCheck & { readonly site: string },
): void {
  const { builder } = at;
  const sum = builder.share(layout.heads * layout.queries, 1, builder.info(weights).fracBits);
  builder.emit({ gate: "row-sum", x: weights, out: sum, layout });
  const shifted = at.atFracBits(sum, CHECK_FRAC_BITS);
  const output = `${name}.${site}`;
  builder.emit({ gate: "output", x: shifted, name: output, bits });
  builder.check({ output, expected, tolerance, site });
}
