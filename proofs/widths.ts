import path from "node:path";
import { syntheticLayer, trainedWidths, type SyntheticShape } from "../experiments/bench/synthetic-layer.ts";
import { openModel } from "../layers/model.ts";
import { loadRanges } from "../protocols/smpc/calibration/load-ranges.ts";
import { rangeOfSite } from "../protocols/smpc/calibration/margins.ts";
import type { Plan } from "../protocols/smpc/plan/instruction.ts";
import type { ValueId, ValueInfo } from "../protocols/smpc/plan/value.ts";
import { RingBudgetError } from "../protocols/smpc/plan/ring-budget-error.ts";
import { LayerWeights } from "../protocols/smpc/factors/layer-weights.ts";
import { lowerLayers, type LayerRun } from "../protocols/smpc/lowering/lower-layers.ts";
import type { ModelRanges, SiteRange } from "../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../protocols/smpc/factors/parameter-statistics.ts";

/** Rings and wires between which gates of some plans work. Widths are bits. */
export interface Widths {
  readonly shifts: readonly { readonly ringBits: number; readonly shiftBits: number; readonly outBits: number }[];
  readonly extensions: readonly { readonly bits: number; readonly ringBits: number }[];
  readonly windows: readonly {
    readonly bits: number;
    readonly windows: number;
    readonly from: number;
    readonly fracBits: number;
  }[];
  /** Products of wires mod 2^ringBits: attention. */
  readonly products: readonly { readonly aBits: number; readonly bBits: number; readonly ringBits: number }[];
  /** Products of wires that are narrower than the ring: row scales and elementwise products. */
  readonly narrowProducts: readonly { readonly aBits: number; readonly bBits: number; readonly ringBits: number }[];
  readonly squares: readonly { readonly bits: number; readonly ringBits: number }[];
  readonly differences: readonly { readonly xBits: number; readonly rowBits: number; readonly outBits: number }[];
}

/** Every combination of widths that the gates of these plans have, each once. */
export function widthsOf(plans: Iterable<Plan>): Widths {
  const found: { [K in keyof Widths]: Map<string, Widths[K][number]> } = {
    shifts: new Map(),
    extensions: new Map(),
    windows: new Map(),
    products: new Map(),
    narrowProducts: new Map(),
    squares: new Map(),
    differences: new Map(),
  };
  const note = <K extends keyof Widths>(kind: K, entry: Widths[K][number]): void => {
    found[kind].set(JSON.stringify(entry), entry);
  };
  for (const { instructions, values } of plans) {
    const bits = (id: ValueId): number => widthOf(values[id]);
    for (const each of instructions) {
      if (each.gate === "shift" && each.bits > 0)
        note("shifts", { ringBits: bits(each.x), shiftBits: each.bits, outBits: bits(each.out) });
      else if (each.gate === "extend") note("extensions", { bits: bits(each.x), ringBits: bits(each.out) });
      else if (each.gate === "exp")
        note("windows", {
          bits: bits(each.x),
          windows: each.windows,
          from: each.from,
          fracBits: values[each.x].fracBits,
        });
      else if (each.gate === "scores")
        note("products", { aBits: bits(each.q), bBits: bits(each.k), ringBits: bits(each.out) });
      else if (each.gate === "mix")
        note("products", { aBits: bits(each.p), bBits: bits(each.v), ringBits: bits(each.out) });
      else if (each.gate === "row-scale")
        note("narrowProducts", { aBits: bits(each.x), bBits: bits(each.scale), ringBits: bits(each.out) });
      else if (each.gate === "multiply")
        note("narrowProducts", { aBits: bits(each.a), bBits: bits(each.b), ringBits: bits(each.out) });
      else if (each.gate === "squares") note("squares", { bits: bits(each.x), ringBits: bits(each.out) });
      else if (each.gate === "row-difference")
        note("differences", { xBits: bits(each.x), rowBits: bits(each.row), outBits: bits(each.out) });
    }
  }
  const list = <K extends keyof Widths>(kind: K): Widths[K] => [...found[kind].values()] as unknown as Widths[K];
  return {
    shifts: list("shifts"),
    extensions: list("extensions"),
    windows: list("windows"),
    products: list("products"),
    narrowProducts: list("narrowProducts"),
    squares: list("squares"),
    differences: list("differences"),
  };
}

const widthOf = (info: ValueInfo): number => (info.kind === "share" ? info.ringBits : info.bits);

/** A prompt of 128 tokens, and the step after it. */
const STEPS = [
  { rows: 128, past: 0 },
  { rows: 1, past: 128 },
] as const;
const SEQUENCE_LIMIT = 256;
const SHAPES: readonly SyntheticShape[] = ["bert-base", "smollm2"];
const DEFAULT_MODEL = path.resolve(import.meta.dirname, "../models/default");

/** Plans by name, and why others are left out. */
export interface PlansInUse {
  readonly plans: ReadonlyMap<string, Plan>;
  /** Plans that don't fit into 64-bit rings, so that nobody can run them. */
  readonly leftOut: readonly string[];
}

/**
 * The plans whose widths are proved: layer 0 of the default model with its calibrated ranges, and layers of the shapes of BERT-base and
 * SmolLM2 with ranges as trained models need; a prompt and the step after it. Reads the default model's weights.
 */
export async function plansInUse(): Promise<PlansInUse> {
  const plans = new Map<string, Plan>();
  const leftOut: string[] = [];
  const lower = (name: string, run: Pick<LayerRun, "spec" | "program" | "statistics" | "ranges">): void => {
    for (const step of STEPS) {
      if (step.past > 0 && !run.spec.causal) continue;
      const label = `${name}, ${step.rows} rows after ${step.past}`;
      try {
        plans.set(label, lowerLayers({ ...run, ...step, from: 0, to: 1, head: false, sequenceLimit: SEQUENCE_LIMIT }));
      } catch (error) {
        if (!(error instanceof RingBudgetError)) throw error;
        leftOut.push(`${label}: ${error.message}`);
      }
    }
  };
  const model = await openModel(DEFAULT_MODEL);
  try {
    const ranges = rangeOfSite(await loadRanges(model, { from: 0, to: 1, head: false }));
    const { statistics } = await LayerWeights.open(model, [0], false);
    lower("default model", { spec: model.spec, program: model.program, statistics, ranges });
  } finally {
    await model.close();
  }
  for (const shape of SHAPES) {
    const layer = syntheticLayer(shape);
    const statistics = new ParameterStatistics(layer.parameter);
    lower(shape, { ...layer.model, statistics, ranges: trainedWidths(NOTHING_SEEN) });
  }
  return { plans, leftOut };
}

/** Ranges that leave every width to what trained models need. */
const NOTHING_SEEN: ModelRanges = {
  model: "",
  source: "",
  sites: new Proxy<Record<string, SiteRange>>({}, { get: () => ({ range: "calibrated", maxAbs: 1, minSquare: 1 }) }),
};
