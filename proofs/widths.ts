import path from "node:path";
import { syntheticLayer, trainedWidths, type SyntheticShape } from "../experiments/bench/synthetic-layer.ts";
import { openModel } from "../layers/model.ts";
import { loadRanges } from "../protocols/smpc/calibration/load-ranges.ts";
import { rangeOfSite } from "../protocols/smpc/calibration/margins.ts";
import { gateOf } from "../protocols/smpc/plan/gate-of.ts";
import type { GateName, Plan } from "../protocols/smpc/plan/instruction.ts";
import { PROVED_WIDTHS, type WidthsOf } from "../protocols/smpc/plan/proved-widths.ts";
import { RingBudgetError } from "../protocols/smpc/plan/ring-budget-error.ts";
import { LayerWeights } from "../protocols/smpc/factors/layer-weights.ts";
import { BY_CLIENT } from "../protocols/smpc/lowering/evaluators.ts";
import { lowerLayers, type LayerRun } from "../protocols/smpc/lowering/lower-layers.ts";
import { PRECISIONS, type Precision } from "../protocols/smpc/lowering/precision.ts";
import { traded } from "../protocols/smpc/lowering/trade.ts";
import type { ModelRanges, SiteRange } from "../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../protocols/smpc/factors/parameter-statistics.ts";

/** The widths that instructions of some plans have, gate by gate; each combination once. */
export type WidthsInUse = { readonly [G in GateName]: readonly WidthsOf<G>[] };

/** No widths at all. */
export const NO_WIDTHS = Object.fromEntries(
  Object.keys(PROVED_WIDTHS).map((gate) => [gate, []]),
) as unknown as WidthsInUse;

/** What the gates say of the instructions of these plans. */
export function widthsOf(plans: Iterable<Plan>): WidthsInUse {
  const found = new Map<GateName, Map<string, Readonly<Record<string, number>>>>();
  for (const { instructions, values } of plans)
    for (const instruction of instructions) {
      const widths = gateOf(instruction).widths(instruction, (id) => values[id]);
      const ofGate = found.get(instruction.gate) ?? new Map();
      found.set(instruction.gate, ofGate.set(JSON.stringify(widths), widths));
    }
  const used = [...found].map(([gate, ofGate]) => [gate, [...ofGate.values()]]);
  return { ...NO_WIDTHS, ...Object.fromEntries(used) } as WidthsInUse;
}

/** Prompts of some lengths, and the step after one. */
const STEPS = [
  { rows: 128, past: 0 },
  { rows: 56, past: 0 },
  { rows: 9, past: 0 },
  { rows: 1, past: 128 },
] as const;
const PRECISIONS_IN_USE: Readonly<Record<string, Precision>> = {
  ...PRECISIONS,
  "default, softmax by squares": { ...PRECISIONS.default, softmax: "square" },
  "default, balanced": traded(PRECISIONS.default, "balanced"),
  "default, few dealt words": traded(PRECISIONS.default, "few-dealt-words"),
  "fine, few rounds": traded(PRECISIONS.fine, "few-rounds"),
  "fine, few dealt words": traded(PRECISIONS.fine, "few-dealt-words"),
};
const SEQUENCE_LIMIT = 256;
const SHAPES: readonly SyntheticShape[] = ["bert-base", "smollm2"];
const DEFAULT_MODEL = path.resolve(import.meta.dirname, "../models/default");

/** Who evaluates the layer's gates, by what a plan's name says of it. */
const EVALUATORS_IN_USE: Readonly<Record<string, Pick<LayerRun, "evaluators" | "clientEnds">>> = {
  "": {},
  ", delegated": { evaluators: () => BY_CLIENT, clientEnds: true },
};

/** Plans by name, and why others are left out. */
export interface PlansInUse {
  readonly plans: ReadonlyMap<string, Plan>;
  /** Plans that don't fit into 64-bit rings, so that nobody can run them. */
  readonly leftOut: readonly string[];
}

/**
 * Plans that real runs make: layer 0 of the default model with its calibrated ranges, and layers of the shapes of BERT-base and SmolLM2
 * with ranges as trained models need, evaluated by the parties and by the client; every precision, prompts of some lengths and the step
 * after one. Reads the default model's weights.
 */
export async function plansInUse(): Promise<PlansInUse> {
  const plans = new Map<string, Plan>();
  const leftOut: string[] = [];
  const lower = (name: string, run: Pick<LayerRun, "spec" | "program" | "statistics" | "ranges">): void => {
    for (const [precisionName, precision] of Object.entries(PRECISIONS_IN_USE))
      for (const [evaluatorsName, placement] of Object.entries(EVALUATORS_IN_USE))
        for (const step of STEPS) {
          if (step.past > 0 && !run.spec.causal) continue;
          const label = `${name}${evaluatorsName}, ${precisionName}, ${step.rows} rows after ${step.past}`;
          const layer = { from: 0, to: 1, head: false, sequenceLimit: SEQUENCE_LIMIT };
          try {
            plans.set(label, lowerLayers({ ...run, ...step, ...layer, ...placement, precision }));
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
