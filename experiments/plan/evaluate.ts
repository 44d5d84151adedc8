/** From a candidate to what it costs and what it shows, by the declared cost expressions and the public schedule. */
import { allByParties } from "../../protocols/smpc/lowering/evaluators.ts";
import type { ModelSpec } from "../../layers/model-spec.ts";
import { maskSeedCost } from "../../protocols/cascade/mask-seeds.ts";
import type { MergeScales } from "../../protocols/cascade/merge-scales.ts";
import { evaluateCosts } from "../../protocols/cost.ts";
import { describeSession } from "../../protocols/fusion/session/describe-session.ts";
import { smpcCost } from "../../protocols/fusion/record/expected-smpc-cost.ts";
import { scheduleOf, type SessionDescription } from "../../protocols/fusion/session/session-description.ts";
import type { PrecisionName } from "../../protocols/smpc/lowering/precision.ts";
import type { SmpcPlacement } from "../../protocols/smpc/plan/placement.ts";
import { RingBudgetError } from "../../protocols/smpc/plan/ring-budget-error.ts";
import type { CandidateCost } from "./candidate-cost.ts";
import { cascadeLayers, configOf, machinesOf, type Candidate } from "./candidate.ts";
import type { PlannedModel } from "./planned-model.ts";
import { SegmentPlans } from "./segment-plans.ts";
import { addTo, nothing, shardingCosts, type NodeExposure, type ShardingCosts } from "./sharding-costs.ts";
import type { TimeModel } from "./time-model.ts";

/** Who sees what, at the end of the session, of the worst node of each role. The client, whose prompt it is, is not counted. */
export interface CandidateExposure {
  /** Does any node get token ids? */
  readonly idsSeen: boolean;
  /** Rows before these layers are seen in the clear, first to last; the number of layers stands for the rows after the last. Null: none. */
  readonly rowsSeen: { readonly first: number; readonly last: number } | null;
  readonly compNodes: NodeExposure;
  readonly attnNodes: NodeExposure;
  /** SMPC parties that must collude to open a row of a layer under SMPC (the client deals); null where there are none. */
  readonly colluders: number | null;
}

export interface Evaluated {
  readonly candidate: Candidate;
  readonly machines: number;
  readonly cost: CandidateCost;
  /** By the time model. */
  readonly seconds: number;
  readonly exposure: CandidateExposure;
}

export interface Workload {
  readonly promptLength: number;
  /** 0 for an encoder: rows come out, no tokens. */
  readonly newTokens: number;
  readonly precision: PrecisionName;
  /** Numbers of parties that candidates have. */
  readonly parties: readonly number[];
}

const NOBODY: NodeExposure = { minGap: null, maxCluster: 0 };

export class Evaluator {
  readonly #model: PlannedModel;
  readonly #workload: Workload;
  readonly #time: TimeModel;
  readonly #plans: SegmentPlans;
  readonly #shardings = new Map<string, ShardingCosts>();
  /** Placements that fit into no ring, with the reason. */
  readonly leftOut = new Map<string, string>();

  constructor(model: PlannedModel, workload: Workload, time: TimeModel) {
    this.#model = model;
    this.#workload = workload;
    this.#time = time;
    this.#plans = new SegmentPlans(model, workload.precision, workload.parties);
  }

  /** The cost and exposure of a candidate; null where its layers fit into no ring (`leftOut` says why). */
  evaluate(candidate: Candidate): Evaluated | null {
    const { placement = "none", trade = "standard" } = candidate.smpc ?? {};
    const name = trade === "standard" ? placement : `${placement} (${trade})`;
    if (this.leftOut.has(name)) return null;
    try {
      const cost = this.#cost(candidate);
      const exposure = this.#exposure(candidate);
      return { candidate, machines: machinesOf(candidate), cost, seconds: this.#time.seconds(cost), exposure };
    } catch (error) {
      if (!(error instanceof RingBudgetError)) throw error;
      this.leftOut.set(name, error.message);
      return null;
    }
  }

  /** The public description of a candidate's session, placement apart; scales of a masked merge are of the right number, not the model's. */
  describe(candidate: Candidate): SessionDescription {
    const { promptLength, newTokens, precision } = this.#workload;
    const config = configOf(candidate, { model: undefined, newTokens: Math.max(1, newTokens), precision });
    return describeSession(config, this.#model, promptLength, {
      maxNewTokens: newTokens,
      output: this.#model.isDecoder ? "last" : "all",
      mergeScales: config.merge === "masked" ? anyScales(this.#model.spec) : null,
    });
  }

  #cost(candidate: Candidate): CandidateCost {
    const total = nothing();
    const cascade = cascadeLayers(candidate, this.#model.spec.layers);
    const { layers, seededPairs, input, output } = this.#sharding(candidate);
    const last = this.#model.spec.layers - 1;
    if (cascade[0] === 0) addTo(total, input);
    addTo(total, cascade.at(-1) === last ? output : { ...nothing(), multiplyAdds: output.multiplyAdds });
    for (const layer of cascade) addTo(total, layers[layer]);
    const pairs = new Set(cascade.flatMap((layer) => [...seededPairs[layer]]));
    addTo(total, evaluateCosts(maskSeedCost, { Mp: pairs.size }));
    let [dealtBytes, smpcMultiplyAdds] = [0, 0];
    if (candidate.smpc !== null) {
      const phases = this.#smpcCost(candidate);
      for (const cost of Object.values(phases)) addTo(total, cost);
      dealtBytes = phases.deal.payloadBytes;
      smpcMultiplyAdds = phases.online.multiplyAdds;
    }
    return { ...total, dealtBytes, onlineBytes: total.payloadBytes - dealtBytes, smpcMultiplyAdds };
  }

  #smpcCost(candidate: Candidate): ReturnType<typeof smpcCost> {
    const { spec, program, fingerprint } = this.#model;
    const { layers, parties, trade } = candidate.smpc!;
    const description = this.describe(candidate);
    const choice = { layers: [...layers], parties, dealer: "client" as const, head: false };
    const schedule = scheduleOf({ ...description, smpc: choice }, spec, program);
    const planned = this.#plans.of(schedule, trade);
    const smpc: SmpcPlacement = {
      ...choice,
      ...allByParties(layers.length),
      precision: this.#workload.precision,
      trade,
      ranges: { model: fingerprint, source: "", sites: {} }, // the plans are made: costs don't look at them
      formats: [...planned.formats],
    };
    return smpcCost({ ...description, smpc }, schedule, planned, schedule.steps);
  }

  #sharding(candidate: Candidate): ShardingCosts {
    const key = JSON.stringify(candidate.cascade);
    let costs = this.#shardings.get(key);
    if (costs === undefined) {
      costs = shardingCosts(this.describe(candidate), this.#model);
      this.#shardings.set(key, costs);
    }
    return costs;
  }

  #exposure(candidate: Candidate): CandidateExposure {
    const cascade = cascadeLayers(candidate, this.#model.spec.layers);
    const colluders = candidate.smpc?.parties ?? null;
    if (cascade.length === 0)
      return { idsSeen: false, rowsSeen: null, compNodes: NOBODY, attnNodes: NOBODY, colluders };
    const { compNodes, attnNodes } = this.#sharding(candidate);
    const rowsSeen = { first: cascade[0], last: cascade[cascade.length - 1] + 1 };
    return { idsSeen: cascade[0] === 0, rowsSeen, compNodes, attnNodes, colluders };
  }
}

/** Scales of a masked merge that no cost or exposure looks at. */
const anyScales = ({ layers, kvHeads }: ModelSpec): MergeScales => ({
  fractionBits: Array.from({ length: layers }, () => Array.from({ length: kvHeads }, () => 0)),
});
