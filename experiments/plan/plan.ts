/** From a model and limits to the front of what can be had, and one point of it as a config. */
import path from "node:path";
import { openModel } from "../../layers/model.ts";
import { mergeScalesOf } from "../../protocols/cascade/merge-scales.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import { presetOf } from "../../protocols/fusion/config/presets.ts";
import { placementText, type RunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { Schedule } from "../../protocols/cascade/schedule.ts";
import { scheduleOf } from "../../protocols/fusion/session/session-description.ts";
import type { PrecisionName } from "../../protocols/smpc/lowering/precision.ts";
import type { SyntheticShape } from "../bench/synthetic-layer.ts";
import { configOf, machinesOf, type Candidate } from "./candidate.ts";
import { constraintsOf, feasible, whatBinds, whyInfeasible, type Constraint, type Limits } from "./constraints.ts";
import { candidatesOf } from "./enumerate.ts";
import { Evaluator, type Evaluated } from "./evaluate.ts";
import { RecordedEvidence, STANDINGS } from "./evidence.ts";
import { ladder, paretoFront } from "./front.ts";
import { COSTS, EXPOSURES } from "./objectives.ts";
import type { PlannedPoint, PlanRecord } from "./plan-record.ts";
import { worstEvidence } from "./leak/party-evidence.ts";
import type { LeakModel } from "./leak/read-positions.ts";
import { plannedExposures } from "./planned-ledger.ts";
import { modelToPlan, shapeToPlan, type PlannedModel } from "./planned-model.ts";
import { TRADE_NAMES, type TradeName } from "../../protocols/smpc/lowering/trade.ts";
import { sumOfParts, type Link } from "./time-model.ts";

export interface PlanRequest extends Link, Limits {
  /** Path; absent: the model that comes with weir. */
  readonly model?: string;
  /** Instead of a model: its shape with random weights. */
  readonly shape?: SyntheticShape;
  readonly promptLength: number;
  /** At least 1; an encoder yields none. */
  readonly newTokens: number;
  /** How finely wires under SMPC are cut. */
  readonly precision: PrecisionName;
  /** What plans of layers under SMPC save; "any": each of them is tried. */
  readonly trade: TradeName | "any";
  /** How partial results become a row in Cascade. */
  readonly merge: RunConfig["merge"];
  /** The point of the front that is chosen, from 1; absent: of those against which least is known the one of least estimated seconds. */
  readonly point?: number;
}

/** Numbers of SMPC parties that are tried. */
const PARTIES = [2, 3, 4];

/** Plans a run. Throws Error naming the limit that binds where nothing is feasible, or a point that the front doesn't have. */
export async function plan(request: PlanRequest, report: (doing: string) => void): Promise<PlanRecord> {
  report("opening the model");
  const { promptLength, shape } = request;
  if (shape !== undefined) return await planOf(await shapeToPlan(shape, promptLength), request, report);
  const model = await openModel(request.model ?? DEFAULT_MODEL);
  try {
    // As a run will: refuses a model whose values have no bound.
    if (request.merge === "masked") await mergeScalesOf(model);
    return await planOf(await modelToPlan(model, report), request, report);
  } finally {
    await model.close();
  }
}

async function planOf(model: PlannedModel, request: PlanRequest, report: (doing: string) => void): Promise<PlanRecord> {
  const { promptLength, precision, merge } = request;
  const { spec, name, fingerprint } = model;
  const newTokens = model.isDecoder ? request.newTokens : 0;
  const positions = promptLength + Math.max(0, newTokens - 1);
  if (positions > spec.maxPositions)
    throw new Error(
      `--n and --new-tokens: expected at most ${spec.maxPositions} positions (the context of ${name}), got ${positions}`,
    );
  const time = sumOfParts(request);
  const evaluator = new Evaluator(model, { promptLength, newTokens, precision, parties: PARTIES }, time);
  const constraints = constraintsOf(request);
  const evaluate = (some: readonly Candidate[]): Evaluated[] =>
    some.flatMap((candidate, at) => {
      if (at % 50 === 0) report(`evaluating ${at} of ${some.length}`);
      const evaluated = evaluator.evaluate(candidate);
      return evaluated === null ? [] : [evaluated];
    });
  const trades = request.trade === "any" ? TRADE_NAMES : [request.trade];
  const all = candidatesOf({ layers: spec.layers, promptLength, parties: PARTIES, trades, merge });
  const { machines = Infinity } = request;
  const evaluated = evaluate(all.filter((candidate) => machinesOf(candidate) <= machines));
  const kept = feasible(evaluated, constraints);
  if (kept.length === 0) {
    const beyond = evaluate(all.filter((candidate) => machinesOf(candidate) > machines));
    throw new Error(whyInfeasible([...evaluated, ...beyond], constraints));
  }
  const front = paretoFront(kept, [...COSTS, ...EXPOSURES], ({ seconds }) => seconds);
  const recorded = await RecordedEvidence.of(name, spec.layers);
  const points = front.map((one, at) => pointOf(one, at, recorded));
  const point = request.point ?? leastKnownAgainst(points);
  if (point > front.length) throw new Error(`--point: expected at most ${front.length} (the front), got ${point}`);
  const { candidate } = front[point - 1];
  const schedule = scheduleFor(evaluator, model, candidate);
  // Absolute, so that the config runs from any folder.
  const modelPath = request.model === undefined ? undefined : path.resolve(request.model);
  return {
    model: { name, fingerprint },
    layers: spec.layers,
    promptLength,
    newTokens,
    roles: request.machines === undefined ? "simulation" : "a machine each",
    time: time.assumes,
    candidates: evaluated.length,
    feasible: kept.length,
    leftOut: [...evaluator.leftOut].map(([placement, reason]) => ({ placement, reason })),
    front: points,
    steps: stepsOf(front),
    whyClearRows: whyClearRows(evaluated, kept, constraints, evaluator),
    chosen: {
      point,
      config: model.isDecoder ? { ...configOf(candidate, { model: modelPath, newTokens, precision }) } : null,
      parties: Object.fromEntries(plannedExposures(schedule)) as PlanRecord["chosen"]["parties"],
      concluded: concludedBy({ schedule, vocabulary: spec.vocabulary }),
    },
  };
}

/** The point, from 1, of the least standing (STANDINGS), of equal ones the first: points are by seconds. */
function leastKnownAgainst(points: readonly PlannedPoint[]): number {
  const rank = ({ evidence }: PlannedPoint): number => STANDINGS.indexOf(evidence.standing);
  return points.reduce((best, one) => (rank(one) < rank(best) ? one : best)).point;
}

/** Why nothing that keeps to the limits has all layers under SMPC, which alone leaves no clear row; null where something has. */
function whyClearRows(
  evaluated: readonly Evaluated[],
  kept: readonly Evaluated[],
  constraints: readonly Constraint[],
  { leftOut }: Evaluator,
): string | null {
  const isClear = ({ candidate }: Evaluated): boolean => candidate.cascade === null;
  if (kept.some(isClear)) return null;
  const left = leftOut.get("all");
  if (left !== undefined) return `all layers under SMPC fit into no 64-bit ring: ${left}`;
  return `nothing within the limits has all layers under SMPC${whatBinds(evaluated.filter(isClear), constraints)}`;
}

function pointOf(
  { candidate, machines, cost, seconds, exposure }: Evaluated,
  at: number,
  recorded: RecordedEvidence,
): PlannedPoint {
  const { cascade, smpc } = candidate;
  const { standing, says } = recorded.about(candidate);
  return {
    point: at + 1,
    preset: presetOf(placementText({ smpcLayers: smpc?.placement })),
    cascade: cascade === null ? null : { ...cascade },
    smpc: smpc === null ? null : { ...smpc, layers: [...smpc.layers] },
    machines,
    ...cost,
    seconds,
    ...exposure,
    evidence: { standing, says: [...says] },
  };
}

function stepsOf(front: readonly Evaluated[]): PlanRecord["steps"] {
  const rungs = ladder(front, EXPOSURES);
  return rungs.map((rung, at) => {
    const [from, to] = [front[rungs[Math.max(0, at - 1)]], front[rung]];
    return {
      point: rung + 1,
      moreSeconds: to.seconds - from.seconds,
      moreOnlineBytes: to.cost.onlineBytes - from.cost.onlineBytes,
      moreDealtBytes: to.cost.dealtBytes - from.cost.dealtBytes,
      moreRounds: to.cost.rounds - from.cost.rounds,
    };
  });
}

function scheduleFor(evaluator: Evaluator, { spec, program }: PlannedModel, candidate: Candidate): Schedule {
  const smpc = candidate.smpc === null ? null : { ...candidate.smpc, dealer: "client" as const };
  return scheduleOf({ ...evaluator.describe(candidate), smpc }, spec, program);
}

/** What the node concludes that concludes most. */
function concludedBy(model: LeakModel): PlanRecord["chosen"]["concluded"] {
  const { parties, evidence, readings } = worstEvidence(model, 1)!;
  const all = [...readings.values()];
  return {
    parties: [...parties],
    evidence,
    tokens: all.length,
    of: model.schedule.length - model.schedule.prefixLength,
    rules: [...new Set(all.map(({ rule }) => rule))],
    passes: all.reduce((sum, { passes }) => sum + passes, 0),
  };
}
