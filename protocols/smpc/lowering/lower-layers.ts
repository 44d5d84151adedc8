import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram } from "../../../layers/program.ts";
import { heldToProofs } from "../plan/held-to-proofs.ts";
import { MAX_RING_BITS } from "../../../shares/words.ts";
import type { Plan } from "../plan/instruction.ts";
import type { ValueId } from "../plan/value.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import type { ParameterStatistics } from "../factors/parameter-statistics.ts";
import { PlanBuilder } from "../plan/plan-builder.ts";
import { checkPlanSize } from "../plan/plan-size.ts";
import { BY_PARTIES, GROUPS, isDelegated, type Evaluators } from "./evaluators.ts";
import { bitsAbove, Lowering, UnfittedSeries, type Lowered, type SeriesChoice } from "./lowering.ts";
import { DEFAULT_PRECISION, LEAST_ROW_BITS, tighter, type Precision } from "./precision.ts";
import { PlacedLowering, type Placed } from "./placed.ts";
import { placedAlgebra } from "./placed-algebra.ts";
import { layersIn, withRemedy, type Remedies } from "./remedy.ts";
import { traded, type TradeName } from "./trade.ts";
import { rangeText, SiteNames, type SiteRange } from "./ranges.ts";

/** What is to run under SMPC, in one step of a session. */
export interface LayerRun {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly statistics: ParameterStatistics;
  /** Range of a site, margins included. Error naming a site that has none. */
  readonly ranges: (site: string) => SiteRange;
  /** Layers from ... to - 1. */
  readonly from: number;
  readonly to: number;
  /** Final norm and LM head after the last layer too. */
  readonly head: boolean;
  /** Rows of a public prefix, whose keys and values are among the parameters (prefix-vectors.ts); absent: none. */
  readonly prefix?: number;
  /** Secret rows of this step and of the steps before, and at most all rows of the session. */
  readonly rows: number;
  readonly past: number;
  readonly sequenceLimit: number;
  readonly precision?: Precision;
  /** What the plan saves, and spends for it; absent: standard. */
  readonly trade?: TradeName;
  /** Who evaluates what in a layer; absent: the parties, everything. */
  readonly evaluators?: (layer: number) => Evaluators;
  /** Of the head; absent: the parties. */
  readonly headEvaluators?: Evaluators;
  /** The rows of layer 0 are the client's, and so are those that leave after the last layer; absent: others may get them. */
  readonly clientEnds?: boolean;
}

/** Names of the shares that enter and leave a plan. */
export const PLAN_INPUT = "x";
export const PLAN_OUTPUT = "rows";
export const PLAN_LOGITS = "logits";

/** Largest magnitude of rows that come in for a client: far above any model's, whose attention sinks lie at some 10^4. */
const ENTERING_BOUND = 2 ** 30;

/** Fractional bits of the rows that come in. */
const INPUT_FRAC_BITS = 16;

/**
 * The plan of some layers for one step: input `x` [rows, d], output `rows` [rows, d] (and `logits` [rows, vocabulary] with a head).
 * A layer that doesn't fit into 64-bit rings is lowered at coarser precisions, one whose table would be too large with fewer bits of its row
 * functions. Throws RingBudgetError, naming site, range, bits and what
 * to do, if none fits, where a table would be too large, or where the plan asks for more than plan-limits.ts allows: before any memory is
 * taken, and before a series is fitted where that can be known.
 */
export function lowerLayers(run: LayerRun): Plan {
  let precisions = precisionsOf(run);
  for (;;) {
    const starts: ValueId[] = [];
    try {
      const plan = heldToProofs(lowerFitting(run, precisions, starts));
      checkPlanSize(plan, planName(run));
      return plan;
    } catch (error) {
      if (!(error instanceof RingBudgetError)) throw error;
      const next = error.isFinal
        ? null
        : error.isRefusal
          ? coarserRows(precisions, new Set(error.layers.map((layer) => layer - run.from)))
          : tightened(precisions, layersOf(error.values, starts));
      if (next === null) throw withRemedy(error, error.isRefusal ? remediesOfRefused(run) : remediesOf(run));
      precisions = next;
    }
  }
}

const planName = ({ from, to, rows, past }: LayerRun): string =>
  `layers ${from} to ${to - 1}, ${rows} rows after ${past}`;

/** One attempt: series are fitted once nothing that is known before speaks against the plan. Throws RingBudgetError. */
function lowerFitting(run: LayerRun, precisions: readonly Precision[], starts: ValueId[]): Plan {
  try {
    return lowerAccepted(run, precisions, starts, "kept");
  } catch (error) {
    if (!(error instanceof UnfittedSeries)) throw error;
  }
  refuseHopeless(run, precisions);
  // What fits with series of the largest size fits with the fitted ones: then a refusal is one for good.
  try {
    lowerAccepted(run, precisions, [], "most");
  } catch (error) {
    if (!(error instanceof RingBudgetError) || error.isFinal || error.isRefusal) throw error;
  }
  starts.length = 0;
  return lowerAccepted(run, precisions, starts, "fitted");
}

/** Throws RingBudgetError (final) where layers don't even fit at the coarsest precision with series of the least size. */
function refuseHopeless(run: LayerRun, precisions: readonly Precision[]): void {
  try {
    checkPlanSize(lowerAccepted(run, precisions.map(coarsest), [], "least"), planName(run));
  } catch (error) {
    throw error instanceof RingBudgetError ? withRemedy(error, remediesOfRefused(run)) : error;
  }
}

/**
 * Throws RingBudgetError (final) where no table can be made for a range at the coarsest precision: what the ranges alone tell, so that the
 * sizes of the run's statistics may be any.
 */
export function refuseRanges(run: LayerRun): void {
  const refusals: string[] = [];
  try {
    lowerAt(run, precisionsOf(run).map(coarsest), [], "least", refusals);
  } catch (error) {
    if (!(error instanceof RingBudgetError)) throw error; // rings depend on the weights too
  }
  if (refusals.length > 0) throw withRemedy(refusalOf(refusals), remediesOfRefused(run));
}

const refusalOf = (refusals: readonly string[]): RingBudgetError =>
  new RingBudgetError(refusals[0], { isRefusal: true, layers: layersIn(refusals) });

const remediesOf = ({ precision = DEFAULT_PRECISION, prefix = 0, spec }: LayerRun): Remedies => ({
  precision,
  mayHavePrefix: spec.causal && prefix === 0,
});

/** The same where a layer is refused at the fewest bits of its precision: a coarser one is named if it has a table for all its ranges. */
function remediesOfRefused(run: LayerRun): Remedies {
  const remedies = remediesOf(run);
  const refusals: string[] = [];
  const coarser = { ...run, precision: DEFAULT_PRECISION };
  try {
    lowerAt(coarser, precisionsOf(coarser).map(coarsest), [], "least", refusals);
  } catch (error) {
    if (!(error instanceof RingBudgetError)) throw error;
    refusals.push(error.message);
  }
  return refusals.length === 0 ? remedies : { ...remedies, precision: DEFAULT_PRECISION };
}

/** A layer each; the head has the last one's. */
function precisionsOf({ from, to, precision = DEFAULT_PRECISION, trade = "standard" }: LayerRun): Precision[] {
  const chosen = traded(precision, trade);
  return Array.from({ length: Math.max(1, to - from) }, () => chosen);
}

/**
 * A plan that fits into its rings and may run. Throws RingBudgetError: a refusal for a table that would be too large, where all else fits.
 */
function lowerAccepted(run: LayerRun, precisions: readonly Precision[], starts: ValueId[], series: SeriesChoice): Plan {
  const refusals: string[] = [];
  try {
    const plan = lowerAt(run, precisions, starts, series, refusals);
    if (refusals.length > 0) throw refusalOf(refusals);
    return plan;
  } catch (error) {
    if (!(error instanceof RingBudgetError) || error.isFinal || error.isRefusal) throw error;
    const { message, values } = error;
    throw new RingBudgetError(refusals[0] ?? message, { values, layers: layersIn(refusals) });
  }
}

function coarsest(precision: Precision): Precision {
  const next = tighter(precision);
  return next === null ? precision : coarsest(next);
}

/** The layers (of those begun so far, by their first values) that made some values; no values: the last one begun. */
function layersOf(values: readonly ValueId[], starts: readonly ValueId[]): ReadonlySet<number> {
  if (values.length === 0) return new Set([starts.length - 1]);
  return new Set(
    values.map((value) =>
      Math.max(
        0,
        starts.findLastIndex((start) => start <= value),
      ),
    ),
  );
}

/** Functions of a row at a bit less in some layers, which halves their tables; null where one has none to give. */
function coarserRows(precisions: readonly Precision[], layers: ReadonlySet<number>): Precision[] | null {
  if (layers.size === 0 || [...layers].some((layer) => precisions[layer].rowBits <= LEAST_ROW_BITS)) return null;
  return precisions.map((precision, layer) =>
    layers.has(layer) ? { ...precision, rowBits: precision.rowBits - 1 } : precision,
  );
}

/** Some layers at the next coarser precision; all, where one of them has none. Null: no layer has one. */
function tightened(precisions: readonly Precision[], layers: ReadonlySet<number>): Precision[] | null {
  const coarser = precisions.map((precision) => tighter(precision));
  if (coarser.every((precision) => precision === null)) return null;
  const all = [...layers].some((layer) => coarser[layer] === null);
  return precisions.map((precision, layer) => (all || layers.has(layer) ? (coarser[layer] ?? precision) : precision));
}

/** Pushes the first value of each layer onto `starts`, and onto `refusals` what no table can be made for: then the plan must not run. */
function lowerAt(
  run: LayerRun,
  precisions: readonly Precision[],
  starts: ValueId[],
  series: SeriesChoice,
  refusals: string[],
): Plan {
  const { rows, past, prefix = 0 } = run;
  const builder = new PlanBuilder();
  const at = new Lowering({
    builder,
    precision: precisions[0],
    rows,
    firstPosition: prefix + past,
    statistics: run.statistics,
    ranges: run.ranges,
    names: new SiteNames("input"),
    series,
    refusals,
  });
  try {
    lowerProgram(run, precisions, starts, at);
  } catch (error) {
    if (!(error instanceof RingBudgetError)) throw error;
    const { values, isFinal } = error;
    throw new RingBudgetError(`${at.about}: ${error.message}`, { values, isFinal });
  }
  return builder.finish();
}

function lowerProgram(run: LayerRun, precisions: readonly Precision[], starts: ValueId[], at: Lowering): void {
  const { spec, program, past, prefix = 0, sequenceLimit } = run;
  const { builder } = at;
  const placed = new PlacedLowering(at);
  const algebra = placedAlgebra(placed);
  const evaluators = run.evaluators ?? (() => BY_PARTIES);
  let x = enter(run, at, evaluators(run.from));
  // Of rows that others share no site says how large they are: they go to the client before anything is computed of them.
  if (x.kind === "shared" && isDelegated(evaluators(run.from)))
    x = { kind: "client", id: placed.toClient(x, ENTERING_BOUND) };
  let out: string | null = null;
  for (let layer = run.from; layer < run.to; layer++) {
    starts.push(builder.valueCount);
    at.precision = precisions[layer - run.from];
    at.names = new SiteNames(`layers.${layer}`);
    at.normedFracBits = at.precision.normedFracBits;
    // Rows that the layer before normed last (BERT) carry the norm's own fraction, like those that this one norms first.
    placed.evaluators = evaluators(layer);
    placed.isAttended = false;
    if (layer > run.from && x.kind === "shared" && x.shared.gain !== null && !placed.isAtClient("norm"))
      x = { kind: "shared", shared: reopened(placed, x.shared, spec.width, `layers.${layer}.in`) };
    const projections = program.pre(algebra, spec, layer, x);
    at.normedFracBits = null;
    const attention = program.attention(spec, layer);
    const attended = placed.attention(attention, projections, { layer, prefix, past, sequenceLimit });
    x = program.post(algebra, spec, layer, x, attended);
    out = at.names.next("out");
  }
  const isClients = run.clientEnds === true && run.to === spec.layers;
  if (out !== null && !run.head) leave(placed, x, PLAN_OUTPUT, out, isClients);
  if (run.head) {
    at.names = new SiteNames("head");
    placed.evaluators = run.headEvaluators ?? BY_PARTIES;
    const finished = program.finish(algebra, spec, x);
    leave(placed, finished, PLAN_OUTPUT, at.names.next("out"), isClients);
    if (program.logits !== null)
      leave(placed, program.logits(algebra, spec, finished), PLAN_LOGITS, at.names.next("out"), isClients);
  }
}

/** The rows that a plan begins with: shares, or the client's own where it evaluates anything of the first layer. */
function enter({ spec, rows, from, clientEnds }: LayerRun, at: Lowering, first: Evaluators): Placed {
  const { builder } = at;
  if (clientEnds === true && from === 0 && GROUPS.some((group) => first[group] === "client")) {
    const id = builder.client(rows, spec.width);
    builder.emit({ gate: "client-input", out: id, name: PLAN_INPUT });
    return { kind: "client", id };
  }
  const input = builder.share(rows, spec.width, INPUT_FRAC_BITS);
  builder.emit({ gate: "input", out: input, name: PLAN_INPUT });
  return { kind: "shared", shared: at.value(input) };
}

/** Normed rows, opened once more at the precision's normedFracBits, if it has them; what is pending stays so. */
function reopened(placed: PlacedLowering, x: Lowered, width: number, site: string): Lowered {
  const { at } = placed;
  if (at.normedFracBits === null) return x;
  at.moveTo(site, `normed rows of ${width}`);
  const rows = { ...x, id: at.reopenNormed(x.id, at.normedFracBits, width, site), parts: [], made: null };
  placed.noteNorm(rows, Math.sqrt(width));
  return rows;
}

/**
 * Rows leave at outputFracBits, in a ring of which their range is a quarter at most: its owner sees a value beyond (hand-over.ts). What is
 * the client's and at the client already stays there.
 */
function leave(placed: PlacedLowering, x: Placed, name: string, site: string, isClients: boolean): void {
  const { at } = placed;
  if (isClients && x.kind !== "shared") {
    at.builder.emit({ gate: "client-output", x: placed.toClient(x), name });
    return;
  }
  const { range } = at.siteNamed(site);
  at.moveTo(site, rangeText("out", range));
  const { outputFracBits } = at.precision;
  const rows = at.atFracBits(at.settle(placed.toShare(x)), outputFracBits);
  const bits = bitsAbove(Math.max(range.maxAbs, 2 ** -outputFracBits)) + 2 + outputFracBits;
  if (bits > MAX_RING_BITS)
    throw new RingBudgetError(`expected rows of at most ${MAX_RING_BITS} bits, got ${bits}`, { values: [rows] });
  at.builder.emit({ gate: "output", x: rows, name, bits });
  at.builder.site({ site, value: rows, bound: range.maxAbs, range: range.range });
}
