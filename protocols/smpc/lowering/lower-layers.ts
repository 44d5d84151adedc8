import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram } from "../../../layers/program.ts";
import { heldToProofs } from "../plan/held-to-proofs.ts";
import type { Plan } from "../plan/instruction.ts";
import type { ValueId } from "../plan/value.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import type { ParameterStatistics } from "../factors/parameter-statistics.ts";
import { PlanBuilder } from "../plan/plan-builder.ts";
import { loweringAlgebra } from "./algebra.ts";
import { lowerAttention } from "./attention.ts";
import { bitsAbove, Lowering, type Lowered } from "./lowering.ts";
import { DEFAULT_PRECISION, tighter, type Precision } from "./precision.ts";
import { SiteNames, type SiteRange } from "./ranges.ts";

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
  /** Rows of this step, of the steps before, and at most in the session. */
  readonly rows: number;
  readonly past: number;
  readonly sequenceLimit: number;
  readonly precision?: Precision;
}

/** Names of the shares that enter and leave a plan. */
export const PLAN_INPUT = "x";
export const PLAN_OUTPUT = "rows";
export const PLAN_LOGITS = "logits";

/** Fractional bits of the rows that come in. */
const INPUT_FRAC_BITS = 16;

/**
 * The plan of some layers for one step: input `x` [rows, d], output `rows` [rows, d] (and `logits` [rows, vocabulary] with a head).
 * A layer that doesn't fit into 64-bit rings is lowered at coarser precisions. Throws RingBudgetError if none fits.
 */
export function lowerLayers(run: LayerRun): Plan {
  // A layer each; the head has the last one's.
  let precisions = Array.from({ length: Math.max(1, run.to - run.from) }, () => run.precision ?? DEFAULT_PRECISION);
  for (;;) {
    const starts: ValueId[] = [];
    try {
      return lowerAt(run, precisions, starts);
    } catch (error) {
      if (!(error instanceof RingBudgetError)) throw error;
      const next = tightened(precisions, layersOf(error.values, starts));
      if (next === null) throw error;
      precisions = next;
    }
  }
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

/** Some layers at the next coarser precision; all, where one of them has none. Null: no layer has one. */
function tightened(precisions: readonly Precision[], layers: ReadonlySet<number>): Precision[] | null {
  const coarser = precisions.map((precision) => tighter(precision));
  if (coarser.every((precision) => precision === null)) return null;
  const all = [...layers].some((layer) => coarser[layer] === null);
  return precisions.map((precision, layer) => (all || layers.has(layer) ? (coarser[layer] ?? precision) : precision));
}

/** Pushes the first value of each layer onto `starts`. */
function lowerAt(run: LayerRun, precisions: readonly Precision[], starts: ValueId[]): Plan {
  const { spec, program, rows, past, sequenceLimit } = run;
  const builder = new PlanBuilder();
  const at = new Lowering({
    builder,
    precision: precisions[0],
    rows,
    firstPosition: past,
    statistics: run.statistics,
    ranges: run.ranges,
    names: new SiteNames("input"),
  });
  const algebra = loweringAlgebra(at);
  const input = builder.share(rows, spec.width, INPUT_FRAC_BITS);
  builder.emit({ gate: "input", out: input, name: PLAN_INPUT });
  let x = at.value(input);
  let out: ReturnType<Lowering["site"]> | null = null;
  for (let layer = run.from; layer < run.to; layer++) {
    starts.push(builder.valueCount);
    at.precision = precisions[layer - run.from];
    at.names = new SiteNames(`layers.${layer}`);
    at.normedFracBits = at.precision.normedFracBits;
    // Rows that the layer before normed last (BERT) carry the norm's own fraction, like those that this one norms first.
    if (layer > run.from && x.gain !== null) x = reopened(at, x, spec.width, `layers.${layer}.in`);
    const projections = program.pre(algebra, spec, layer, x);
    at.normedFracBits = null;
    const attention = program.attention(spec, layer);
    const attended = lowerAttention(at, attention, projections, { layer, past, sequenceLimit });
    x = program.post(algebra, spec, layer, x, attended);
    out = at.site("out");
  }
  if (out !== null && !run.head) leave(at, x, PLAN_OUTPUT, out);
  if (run.head) {
    at.names = new SiteNames("head");
    const finished = program.finish(algebra, spec, x);
    leave(at, finished, PLAN_OUTPUT, at.site("out"));
    if (program.logits !== null) leave(at, program.logits(algebra, spec, finished), PLAN_LOGITS, at.site("out"));
  }
  return heldToProofs(builder.finish());
}

/** Normed rows, opened once more at the precision's normedFracBits, if it has them; what is pending stays so. */
function reopened(at: Lowering, x: Lowered, width: number, site: string): Lowered {
  if (at.normedFracBits === null) return x;
  return { ...x, id: at.reopenNormed(x.id, at.normedFracBits, width, site), parts: [], made: null };
}

/** Rows leave at outputFracBits, in a ring of which their range is a quarter at most: its owner sees a value beyond (hand-over.ts). */
function leave(at: Lowering, x: Lowered, name: string, { site, range }: ReturnType<Lowering["site"]>): void {
  const { outputFracBits } = at.precision;
  const rows = at.atFracBits(at.settle(x), outputFracBits);
  at.builder.emit({ gate: "output", x: rows, name, bits: bitsAbove(range.maxAbs) + 2 + outputFracBits });
  at.builder.site({ site, value: rows, bound: range.maxAbs, range: range.range });
}
