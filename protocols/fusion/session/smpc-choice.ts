/** Which layers of a session run under SMPC, from what a person asks for to the session's public placement. */
import type { Model } from "../../../layers/model.ts";
import { isDelegated } from "../../smpc/lowering/evaluators.ts";
import { segmentsOf } from "../../cascade/segments.ts";
import type { FirstRow } from "../../smpc/calibration/calibrate.ts";
import { loadRanges } from "../../smpc/calibration/load-ranges.ts";
import type { WeightedModel } from "../../smpc/factors/layer-weights.ts";
import type { ModelRanges } from "../../smpc/lowering/ranges.ts";
import type { SmpcPlacement } from "../../smpc/plan/placement.ts";
import { programSetting, SmpcProgram, type ProgramSetting } from "./smpc-program.ts";
import { scheduleOf, type SessionDescription } from "./session-description.ts";

export type SmpcChoice = Pick<
  SmpcPlacement,
  "layers" | "evaluators" | "parties" | "dealer" | "head" | "headEvaluator" | "precision" | "trade"
>;

/** Ranges of all that is chosen, from beside the model, from the cache, or observed now (`report` is told). */
export async function rangesOf(
  model: Model,
  {
    layers,
    evaluators,
    head,
    headEvaluator,
    clientEnds = true,
  }: Pick<SmpcChoice, "layers" | "evaluators" | "head" | "headEvaluator"> & Partial<Pick<ProgramSetting, "clientEnds">>,
  report: (doing: string) => void,
  firstRow: FirstRow = "secret",
): Promise<ModelRanges> {
  // A delegated layer needs ranges only of rows that come from nodes or from a layer that the parties evaluate, and of those that go to nodes.
  const isNodes = (layer: number): boolean =>
    layer < 0 || layer >= model.spec.layers ? !clientEnds : !layers.includes(layer);
  const delegated = new Set(layers.filter((_, at) => isDelegated(evaluators[at])));
  const comesAsShares = (layer: number): boolean => isNodes(layer - 1) || (layer > 0 && !delegated.has(layer - 1));
  const ranged = layers.filter((layer) => !delegated.has(layer) || comesAsShares(layer) || isNodes(layer + 1));
  const runs = segmentsOf(model.spec.layers, ranged).filter(({ kind }) => kind === "smpc");
  // A client that norms what the parties hold gets it by the range of the norm.
  const rangedHead = head && (headEvaluator === "parties" || !delegated.has(model.spec.layers - 1));
  const loaded: ModelRanges[] = [];
  for (const { from, to } of runs)
    loaded.push(await loadRanges(model, { from, to, head: rangedHead && to === model.spec.layers }, report, firstRow));
  return {
    model: model.fingerprint,
    source: loaded[0]?.source ?? "none needed",
    sites: Object.assign({}, ...loaded.map(({ sites }) => sites)) as ModelRanges["sites"],
  };
}

/** The public placement: the choice, the ranges of its sites, and how shares enter and leave. Loads the weights of its layers. */
export async function placementOf(
  description: SessionDescription,
  model: WeightedModel,
  choice: SmpcChoice,
  { sites, ...ranges }: ModelRanges,
  onStep: (text: string) => void = () => {},
): Promise<SmpcPlacement> {
  const { layers, head } = choice;
  const needed = Object.entries(sites).filter(([site]) => {
    const layer = /^layers\.(\d+)\./.exec(site)?.[1];
    return layer === undefined ? head : layers.includes(Number(layer));
  });
  const placement = { ...choice, ranges: { ...ranges, sites: Object.fromEntries(needed) } };
  const schedule = scheduleOf({ ...description, smpc: choice }, model.spec, model.program);
  const program = await SmpcProgram.open(
    model,
    schedule,
    programSetting({ ...description, smpc: placement }),
    false,
    onStep,
  );
  return { ...placement, formats: program.formats() };
}
