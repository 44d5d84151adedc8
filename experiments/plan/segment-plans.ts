/** Costs of runs of layers under SMPC: each is lowered once for a step, whatever the shardings and placements around it. */
import type { Schedule } from "../../protocols/cascade/schedule.ts";
import type { Segment } from "../../protocols/cascade/segments.ts";
import type { SegmentCosts } from "../../protocols/fusion/record/expected-smpc-cost.ts";
import { lowerLayers } from "../../protocols/smpc/lowering/lower-layers.ts";
import { PRECISIONS, type PrecisionName } from "../../protocols/smpc/lowering/precision.ts";
import type { TradeName } from "../../protocols/smpc/lowering/trade.ts";
import type { SegmentFormat } from "../../protocols/smpc/plan/placement.ts";
import { planCost, type PlanCost } from "../../protocols/smpc/plan/plan-cost.ts";
import { planFormat } from "../../protocols/smpc/plan/plan-format.ts";
import type { PlannedModel } from "./planned-model.ts";

interface LoweredStep {
  readonly format: SegmentFormat;
  /** By number of parties. */
  readonly costs: ReadonlyMap<number, PlanCost>;
}

/** What a session's segments under SMPC cost, and how shares enter and leave them. */
export interface PlannedSegments extends SegmentCosts {
  readonly formats: readonly SegmentFormat[];
}

export class SegmentPlans {
  readonly #model: PlannedModel;
  readonly #precision: PrecisionName;
  readonly #parties: readonly number[];
  /** Plans are large: their costs are kept alone. */
  readonly #steps = new Map<string, LoweredStep>();

  /** `parties`: the numbers of parties that will be asked for. */
  constructor(model: PlannedModel, precision: PrecisionName, parties: readonly number[]) {
    this.#model = model;
    this.#precision = precision;
    this.#parties = parties;
  }

  /** The segments of a schedule. Throws RingBudgetError where one fits into no ring. */
  of(schedule: Schedule, trade: TradeName): PlannedSegments {
    const segments = schedule.segments.filter(({ kind }) => kind === "smpc");
    return {
      segments,
      cost: (segment, step) => this.#lowered(segments[segment], schedule, step, trade).costs.get(schedule.parties)!,
      formats: segments.map((segment) => {
        // As wide as every step needs (SmpcProgram.formats).
        const steps = new Set([0, 1, schedule.steps - 1].filter((step) => step < schedule.steps));
        const formats = [...steps].map((step) => this.#lowered(segment, schedule, step, trade).format);
        return { ...formats[0], inputBits: Math.max(...formats.map(({ inputBits }) => inputBits)) };
      }),
    };
  }

  #lowered({ from, to }: Segment, schedule: Schedule, step: number, trade: TradeName): LoweredStep {
    const [past, end] = schedule.stepRange(step);
    const key = `${from}-${to}/${past}-${end}/${schedule.length}/${trade}`;
    let lowered = this.#steps.get(key);
    if (lowered === undefined) {
      const { spec, program, statistics, rangeOf } = this.#model;
      const rows = end - past;
      const plan = lowerLayers({
        spec,
        program,
        statistics,
        ranges: rangeOf,
        from,
        to,
        head: false,
        rows,
        past,
        sequenceLimit: schedule.length,
        precision: PRECISIONS[this.#precision],
        trade,
      });
      lowered = {
        format: planFormat(plan, rows),
        costs: new Map(this.#parties.map((parties) => [parties, planCost(plan, parties)])),
      };
      this.#steps.set(key, lowered);
    }
    return lowered;
  }
}
