/** GELU, SiLU, soft caps and elementwise products: one opening each (smpc.md, gates 3 and 4). */
import type { Activation } from "../../../layers/model-spec.ts";
import { activationFit } from "../fit/activation-series.ts";
import { tanhFit } from "../fit/tanh-series.ts";
import type { Series } from "../fit/series.ts";
import { gradedPrecision } from "../fit/series-precision.ts";
import type { ValueId } from "../plan/value.ts";
import { MOST_INDEX_BITS } from "../plan/plan-limits.ts";
import { bitsAbove, type Lowered, type Lowering } from "./lowering.ts";

/** The series of an activation covers at least [-4, 4]: below that the fit gains nothing. */
const SMALLEST_RANGE = 4;

/** f(x) = x / 2 + g(x), g even: x / 2 from the opened wire, g by a series on the same wire. */
export function lowerActivation(at: Lowering, x: Lowered, kind: Activation): Lowered {
  if (kind === "relu") throw new Error("activation under SMPC: expected gelu, geluTanh or silu, got relu");
  const { site, range } = at.site("activation");
  const { activationFracBits, activationError } = at.precision;
  const reach = Math.max(SMALLEST_RANGE, range.maxAbs);
  const fit = activationFit(kind, reach, activationError, MOST_INDEX_BITS - activationFracBits);
  const series = at.series(fit, activationFracBits);
  // The period is at least four times the range: x can be extended from the same wire.
  const wire = at.open(at.settle(x), activationFracBits, series.periodBits + activationFracBits);
  at.builder.site({ site, value: wire, bound: series.to, range: range.range });
  const half = at.rescaled(at.extend(wire), -1);
  const value = at.combine([half, evaluate(at, wire, series)]);
  return at.value(at.precision.activatedFracBits === null ? value : lifted(at, value, series.to, site));
}

/** What an activation may be below 0, its series' error included. */
const LEAST_ACTIVATED = 0.5;
/** And above its reach. */
const ACTIVATED_ROOM = 1 / 8;

/** An activation of inputs to `reach`, opened as a number that is hardly negative and shared again: its series needs no more ring than that. */
function lifted(at: Lowering, x: ValueId, reach: number, site: string): ValueId {
  const fracBits = at.precision.activatedFracBits!;
  const bound = reach + ACTIVATED_ROOM;
  // A quarter of an eighth of the ring lies below 0 (narrow-wire.ts).
  const bits = Math.max(5, bitsAbove(Math.max((bound * 32) / 15, 32 * LEAST_ACTIVATED)) + fracBits);
  const wire = at.open(x, fracBits, bits);
  at.builder.site({ site: `${site}.activated`, value: wire, bound, range: "structural" });
  return at.extend(wire, { nonNegative: true });
}

/** cap * tanh(x / cap) of an opened wire. */
export function lowerSoftCap(at: Lowering, x: Lowered, cap: number): Lowered {
  const { site, range } = at.site("softCap");
  return at.value(softCapped(at, at.settle(x), { cap, scale: 1, site, bound: range.maxAbs, range: range.range }));
}

/** cap * tanh(scale * x / cap), |scale * x| <= bound, in units of the capped value. */
export function softCapped(
  at: Lowering,
  x: ValueId,
  setting: {
    readonly cap: number;
    readonly scale: number;
    readonly site: string;
    readonly bound: number;
    readonly range: "calibrated" | "certified";
  },
): ValueId {
  const { cap, scale, site, range } = setting;
  const fracBits = at.precision.logitFracBits + Math.round(Math.log2(scale));
  const bound = Math.max(setting.bound, scale * 2 ** -fracBits); // a unit of the wire, where all is 0
  const series = at.series(tanhFit(cap, scale, bound / scale), fracBits);
  const wire = at.open(x, fracBits, series.periodBits + fracBits);
  at.builder.site({ site, value: wire, bound: bound / scale, range });
  return evaluate(at, wire, series);
}

function evaluate(at: Lowering, wire: ValueId, series: Series): ValueId {
  const { builder, precision } = at;
  const { activationTableFracBits, activationWordFracBits, activationRounding } = precision;
  const cut =
    activationRounding === null
      ? { tableFracBits: activationTableFracBits, wordFracBits: activationWordFracBits }
      : gradedPrecision(series, activationRounding);
  const { rows, columns } = builder.info(wire);
  const out = builder.share(rows, columns, cut.tableFracBits + cut.wordFracBits);
  builder.emit({ gate: "series", x: wire, out, series, ...cut });
  return out;
}

/** x * y, element by element: both opened narrow. */
export function lowerProduct(at: Lowering, x: Lowered, y: Lowered): Lowered {
  const [a, b] = [x, y].map((operand) => {
    const { site, range } = at.site("operand");
    return at.openNarrow(at.settle(operand), at.precision.operandFracBits, range.maxAbs, site, range.range);
  });
  const { rows, columns, fracBits } = at.builder.info(a);
  const out = at.builder.share(rows, columns, 2 * fracBits);
  at.builder.emit({ gate: "multiply", a, b, out });
  return at.value(out);
}
