/**
 * What a session must cost: the declared expressions of its protocol steps, evaluated with the quantities that follow from the public
 * description. The counters of a run must agree to the byte.
 */
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram, ParameterSpec } from "../../../layers/program.ts";
import { attentionPassCost } from "../../cascade/attention-pass.ts";
import { maskSeedCost } from "../../cascade/mask-seeds.ts";
import { maskedAttentionCost, maskedPostCost } from "../../cascade/masked-merge.ts";
import { postPassCost } from "../../cascade/post-pass.ts";
import { prePassCost } from "../../cascade/pre-pass.ts";
import { scaleExchangeCost } from "../../cascade/scale-exchange.ts";
import { byOwner, type Schedule } from "../../cascade/schedule.ts";
import { evaluateCosts, type CostExpressions, type CostFigures, type Quantities } from "../../cost.ts";
import { inputCost, outputCost } from "../../cascade/edges.ts";
import type { SmpcProgram } from "../session/smpc-program.ts";
import type { Phase } from "../../wire/messages.ts";
import { segmentCosts, smpcCost, type SmpcPhase } from "./expected-smpc-cost.ts";
import { scheduleOf, type SessionDescription } from "../session/session-description.ts";

export type ExpectedCost = { readonly [phase in Phase | "post-pass"]: CostFigures };

const WIRE_BYTES = { float64: 8, float32: 4, float16: 2 } as const;

/** What the costs depend on besides the session's description. */
export interface CostedModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly parameters: ReadonlyMap<string, { readonly spec: ParameterSpec }>;
}

/**
 * Cost by phase of the first `steps` steps of a session. Rounds add up over the phases: they follow one another. `program`: the plans of
 * the layers under SMPC, where there are any; a step ahead of them is dealt.
 */
export function expectedCost(
  description: SessionDescription,
  model: CostedModel,
  steps: number,
  program: SmpcProgram | null = null,
): ExpectedCost {
  const schedule = scheduleOf(description, model.spec, model.program);
  const total = {
    deal: zero(),
    share: zero(),
    online: zero(),
    take: zero(),
    give: zero(),
    ahead: zero(),
    handover: zero(),
    input: zero(),
    "pre-pass": zero(),
    scale: zero(),
    "attention-pass": zero(),
    "post-pass": zero(),
    output: zero(),
  };
  for (let step = 0; step < steps; step++) {
    const edge = stepQuantities(schedule, model, description, step);
    const [first, last] = [schedule.segments[0], schedule.segments.at(-1)!];
    if (first.kind === "cascade") add(total.input, evaluateCosts(inputCost, edge));
    const output = evaluateCosts(outputCost, edge);
    // After a last segment under SMPC rows come by hand-over; only a token is still sent by a CompNode.
    const sent = last.kind === "cascade" || edge.tokenOut === 1;
    add(total.output, sent ? output : { ...zero(), multiplyAdds: output.multiplyAdds });
    for (const layer of cascadeLayers(schedule)) {
      const quantities = { ...edge, ...pairQuantities(schedule, step, layer) };
      for (const { phase, cost } of layerCosts(schedule)) add(total[phase], evaluateCosts(cost, quantities));
    }
  }
  if (schedule.isMasked) {
    const layers = cascadeLayers(schedule);
    const pairs = range(0, steps).flatMap((step) => layers.flatMap((layer) => exchangePairs(schedule, step, layer)));
    add(total.scale, evaluateCosts(maskSeedCost, { Mp: new Set(pairs).size }));
  }
  if (program !== null) {
    const planned = segmentCosts(program, schedule.parties);
    for (const [phase, cost] of Object.entries(smpcCost(description, schedule, planned, steps)))
      add(total[phase as SmpcPhase], cost);
  }
  return total;
}

const cascadeLayers = (schedule: Schedule): number[] =>
  schedule.segments.flatMap(({ kind, from, to }) => (kind === "cascade" ? range(from, to) : []));

/** Quantities of a step that do not depend on the layer. */
export function stepQuantities(
  schedule: Schedule,
  { spec, parameters }: CostedModel,
  description: SessionDescription,
  step: number,
): Quantities {
  const [from, to] = schedule.stepRange(step);
  const owners = byOwner(schedule.r, range(from, to)).length;
  const all = description.output === "all";
  return {
    N: to - from,
    d: spec.width,
    dq: spec.heads * spec.headDim,
    dkv: spec.kvHeads * spec.headDim,
    H: spec.heads,
    alpha: schedule.alpha,
    beta: schedule.beta,
    w: WIRE_BYTES[description.wire],
    V: spec.vocabulary,
    Mlp: mlpMultiplyAdds(parameters),
    Mi: owners,
    Nout: all ? to - from : 1,
    Mout: all ? owners : 1,
    tokenOut: description.head === "compnode" && !all ? 1 : 0,
  };
}

/** Multiply-adds a row of one layer's MLP: the sizes of its matrices (all matrices of a layer but the attention's). */
function mlpMultiplyAdds(parameters: CostedModel["parameters"]): number {
  return [...parameters.values()]
    .map(({ spec }) => spec)
    .filter(({ name, shape }) => shape.length === 2 && /^layers\.0\.(?!(q|k|v|o)\.)/.test(name))
    .reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
}

/** What a layer in Cascade costs a step, by phase. */
export const layerCosts = ({
  isMasked,
}: Schedule): readonly { readonly phase: LayerPhase; readonly cost: CostExpressions }[] =>
  isMasked ? MASKED_COSTS : PLAIN_COSTS;

type LayerPhase = "pre-pass" | "scale" | "attention-pass" | "post-pass";

const PLAIN_COSTS = [
  { phase: "pre-pass", cost: prePassCost },
  { phase: "attention-pass", cost: attentionPassCost },
  { phase: "post-pass", cost: postPassCost },
] as const;

const MASKED_COSTS = [
  { phase: "pre-pass", cost: prePassCost },
  { phase: "scale", cost: scaleExchangeCost },
  { phase: "attention-pass", cost: maskedAttentionCost },
  { phase: "post-pass", cost: maskedPostCost },
] as const;

/** Pairs of AttnNodes that exchange scales in a step of a layer; they share a seed. */
export function exchangePairs(schedule: Schedule, step: number, layer: number): string[] {
  return range(0, schedule.beta).flatMap((j) => {
    const asked = schedule.askedOf(step, layer, j);
    return asked.flatMap((k) => asked.filter((other) => other > k).map((other) => `${j}/${k}/${other}`));
  });
}

/** Quantities that follow from the pairs at work in one layer of a step. */
export function pairQuantities(schedule: Schedule, step: number, layer: number): Quantities {
  let [Nq, Nk, Mq, Mk, QK, Np, Mx] = [0, 0, 0, 0, 0, 0, 0];
  const [from, to] = [schedule.prefixLength, schedule.stepRange(step)[1]];
  for (const { j, k, queries, keys } of schedule.work(step, layer)) {
    Nq += queries.length;
    Nk += keys.length;
    Mq += byOwner(schedule.r, queries).length;
    Mk += byOwner(schedule.r, keys).length;
    if (queries.length > 0) {
      const others = schedule.askedOf(step, layer, j).length - 1;
      Np += others * queries.length;
      Mx += others;
    }
    QK +=
      queries.length *
      (schedule.prefixKeys(layer, k).length + range(from, to).filter((t) => schedule.s.owner(t) === k).length);
  }
  return { Nq, Nk, Mq, Mk, QK, Np, Mx, X: Math.min(Mx, 1) };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

type Running = { -readonly [figure in keyof CostFigures]: number };
const zero = (): Running => ({ payloadBytes: 0, messages: 0, rounds: 0, multiplyAdds: 0 });

function add(total: Running, cost: CostFigures): void {
  for (const figure of ["payloadBytes", "messages", "rounds", "multiplyAdds"] as const) total[figure] += cost[figure];
}
