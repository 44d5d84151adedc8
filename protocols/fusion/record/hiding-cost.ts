/** What the session that was would have cost with every layer delegated: from shapes alone, before anybody loads a weight. */
import { BY_CLIENT } from "../../smpc/lowering/evaluators.ts";
import { lowerLayers } from "../../smpc/lowering/lower-layers.ts";
import { ParameterStatistics } from "../../smpc/factors/parameter-statistics.ts";
import { PRECISIONS } from "../../smpc/lowering/precision.ts";
import { planCost, type PlanCost } from "../../smpc/plan/plan-cost.ts";
import { planFormat } from "../../smpc/plan/plan-format.ts";
import type { SegmentFormat } from "../../smpc/plan/placement.ts";
import type { Schedule } from "../../cascade/schedule.ts";
import type { RunConfig } from "../config/run-config.ts";
import { scheduleOf, type SessionDescription } from "../session/session-description.ts";
import type { ConcludedModel } from "./conclusions.ts";
import { smpcCost } from "./expected-smpc-cost.ts";

/** Bytes and rounds of a session that tells no single party more than lengths. */
export interface HidingCost {
  readonly payloadBytes: number;
  /** Messages that follow one another; two of them are a round trip of the client. */
  readonly rounds: number;
}

/**
 * The cost of `steps` steps of this session with all layers delegated and the head at the client, by the declared expressions: as
 * `expectedCost` of that session says. Delegated products stay below 1 whatever the weights are, so that shapes are enough.
 */
export function hidingCost(
  description: SessionDescription,
  { parties, dealer, smpcPrecision: precision }: Pick<RunConfig, "parties" | "dealer" | "smpcPrecision">,
  model: ConcludedModel,
  steps: number,
): HidingCost {
  const { spec, program } = model;
  const layers = Array.from({ length: spec.layers }, (_, layer) => layer);
  const choice = {
    layers,
    evaluators: layers.map(() => BY_CLIENT),
    parties,
    dealer,
    precision,
    trade: "standard" as const,
    head: false,
    headEvaluator: "parties" as const,
    ranges: { model: description.model, source: "none needed", sites: {} },
  };
  const schedule = scheduleOf({ ...description, mergeScales: null, smpc: choice }, spec, program);
  const planned = new DelegatedSteps(model, schedule, precision, parties);
  const smpc = { ...choice, formats: [planned.at(0).format] };
  const costs = smpcCost({ ...description, head: "client", mergeScales: null, smpc }, schedule, planned, steps);
  const sum = (figure: "payloadBytes" | "rounds"): number =>
    Object.values(costs).reduce((total, cost) => total + cost[figure], 0);
  return { payloadBytes: sum("payloadBytes"), rounds: sum("rounds") };
}

interface DelegatedStep {
  readonly cost: PlanCost;
  readonly format: SegmentFormat;
}

/** The one segment of a session whose every layer is delegated. */
class DelegatedSteps {
  readonly segments: Schedule["segments"];
  readonly #model: ConcludedModel;
  readonly #schedule: Schedule;
  readonly #precision: RunConfig["smpcPrecision"];
  readonly #parties: number;
  /** By rows: the client attends, so that nothing depends on what went before. */
  readonly #steps = new Map<number, DelegatedStep>();

  constructor(model: ConcludedModel, schedule: Schedule, precision: RunConfig["smpcPrecision"], parties: number) {
    this.segments = schedule.segments;
    this.#model = model;
    this.#schedule = schedule;
    this.#precision = precision;
    this.#parties = parties;
  }

  cost(_segment: number, step: number): PlanCost {
    return this.at(step).cost;
  }

  at(step: number): DelegatedStep {
    const [past, end] = this.#schedule.stepRange(step);
    const rows = end - past;
    let found = this.#steps.get(rows);
    if (found === undefined) {
      const { spec, program, parameters } = this.#model;
      const plan = lowerLayers({
        spec,
        program,
        statistics: new ParameterStatistics((name) => withoutData(parameters, name)),
        ranges: (site) => {
          throw new Error(`site ${site}: expected no need of a range in a delegated layer, got one`);
        },
        from: 0,
        to: spec.layers,
        head: false,
        rows,
        past,
        sequenceLimit: this.#schedule.length,
        precision: PRECISIONS[this.#precision],
        evaluators: () => BY_CLIENT,
        clientEnds: true,
      });
      found = { cost: planCost(plan, this.#parties), format: planFormat(plan, rows) };
      this.#steps.set(rows, found);
    }
    return found;
  }
}

/** A parameter's shape; whoever reads its numbers makes a cost depend on them. Throws Error for one that there isn't. */
function withoutData(
  parameters: ConcludedModel["parameters"],
  name: string,
): { readonly data: Float32Array; readonly shape: readonly number[] } {
  const parameter = parameters.get(name);
  if (parameter === undefined) throw new Error(`parameter ${name}: expected one of the model, got none`);
  return {
    shape: parameter.spec.shape,
    get data(): Float32Array {
      throw new Error(`parameter ${name}: expected no need of its numbers for a delegated layer's cost, got one`);
    },
  };
}
