/** Which layers of a session run under SMPC, from what a person asks for to the session's public placement. */
import type { Model } from "../../../layers/model.ts";
import { segmentsOf } from "../../cascade/segments.ts";
import type { FirstRow } from "../../smpc/calibration/calibrate.ts";
import { loadRanges } from "../../smpc/calibration/load-ranges.ts";
import type { WeightedModel } from "../../smpc/factors/layer-weights.ts";
import type { ModelRanges } from "../../smpc/lowering/ranges.ts";
import type { SmpcPlacement } from "../../smpc/plan/placement.ts";
import { SmpcProgram } from "./smpc-program.ts";
import { scheduleOf, type SessionDescription } from "./session-description.ts";

export type SmpcChoice = Pick<SmpcPlacement, "layers" | "parties" | "dealer" | "head" | "precision">;

/** "none", "all", "first:2", "last:1" or "0,3" as ascending layers. Throws Error for a layer that the model doesn't have. */
export function chosenLayers(text: string, layers: number): number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  if (text === "none") return [];
  if (text === "all") return all;
  const [side, count] = text.split(":");
  if (count !== undefined) {
    if (Number(count) > layers)
      throw new Error(`smpcLayers: expected at most ${layers} layers (the model's), got ${text}`);
    return side === "first" ? all.slice(0, Number(count)) : all.slice(layers - Number(count));
  }
  const listed = [...new Set(text.split(",").map(Number))].sort((a, b) => a - b);
  const wrong = listed.find((layer) => layer >= layers);
  if (wrong !== undefined) throw new Error(`smpcLayers: expected layers of 0 to ${layers - 1}, got ${wrong}`);
  return listed;
}

/** Ranges of all that is chosen, from beside the model, from the cache, or observed now (`report` is told). */
export async function rangesOf(
  model: Model,
  { layers, head }: Pick<SmpcChoice, "layers" | "head">,
  report: (doing: string) => void,
  firstRow: FirstRow = "secret",
): Promise<ModelRanges> {
  const runs = segmentsOf(model.spec.layers, layers).filter(({ kind }) => kind === "smpc");
  const loaded: ModelRanges[] = [];
  for (const { from, to } of runs)
    loaded.push(await loadRanges(model, { from, to, head: head && to === model.spec.layers }, report, firstRow));
  return {
    model: model.fingerprint,
    source: loaded[0].source,
    sites: Object.assign({}, ...loaded.map(({ sites }) => sites)) as ModelRanges["sites"],
  };
}

/** The public placement: the choice, the ranges of its sites, and how shares enter and leave. Loads the weights of its layers. */
export async function placementOf(
  description: SessionDescription,
  model: WeightedModel,
  choice: SmpcChoice,
  { sites, ...ranges }: ModelRanges,
): Promise<SmpcPlacement> {
  const { layers, head } = choice;
  const needed = Object.entries(sites).filter(([site]) => {
    const layer = /^layers\.(\d+)\./.exec(site)?.[1];
    return layer === undefined ? head : layers.includes(Number(layer));
  });
  const placement = { ...choice, ranges: { ...ranges, sites: Object.fromEntries(needed) } };
  const schedule = scheduleOf({ ...description, smpc: choice }, model.spec, model.program);
  const program = await SmpcProgram.open(model, schedule, placement, description.publicPrefix);
  return { ...placement, formats: program.formats() };
}
