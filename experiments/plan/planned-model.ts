import { allByParties } from "../../protocols/smpc/lowering/evaluators.ts";
/** What the planner needs of a model: its shape, sizes of its weights and ranges of its sites; no engine. */
import { bert } from "../../layers/architectures/bert.ts";
import { llama } from "../../layers/architectures/llama.ts";
import type { Model } from "../../layers/model.ts";
import type { CostedModel } from "../../protocols/fusion/record/expected-cost.ts";
import { rangesOf } from "../../protocols/fusion/session/smpc-choice.ts";
import { rangeOfSite } from "../../protocols/smpc/calibration/margins.ts";
import { LayerWeights } from "../../protocols/smpc/factors/layer-weights.ts";
import type { ModelRanges, SiteRange } from "../../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../../protocols/smpc/factors/parameter-statistics.ts";
import { syntheticLayer, syntheticRanges, trainedWidths, type SyntheticShape } from "../bench/synthetic-layer.ts";

export interface PlannedModel extends CostedModel {
  readonly name: string;
  readonly fingerprint: string;
  readonly statistics: ParameterStatistics;
  /** Range of a site, as the lowering reads it. */
  readonly rangeOf: (site: string) => SiteRange;
  /** A decoder generates tokens; an encoder gives all rows, and is not run by `weir run`. */
  readonly isDecoder: boolean;
}

/** A model on disk, with the ranges that its run would use unless others are given; `report` is told where they are observed now. */
export async function modelToPlan(
  model: Model,
  report: (doing: string) => void,
  given?: ModelRanges,
): Promise<PlannedModel> {
  const { spec, program, parameters, name, fingerprint } = model;
  const layers = Array.from({ length: spec.layers }, (_, layer) => layer);
  const ranges = given ?? (await rangesOf(model, { layers, ...allByParties(layers.length), head: false }, report));
  const { statistics } = await LayerWeights.open(model, layers, false);
  return {
    spec,
    program,
    parameters,
    name,
    fingerprint,
    statistics,
    rangeOf: rangeOfSite(ranges),
    isDecoder: program.logits !== null,
  };
}

const SHAPES: Readonly<Record<SyntheticShape, { readonly architecture: typeof bert; readonly layers: number }>> = {
  "bert-base": { architecture: bert, layers: 12 },
  smollm2: { architecture: llama, layers: 30 },
};

/**
 * The shape of a real model with random weights and widths as a trained one needs: every layer is the synthetic one. Without embeddings
 * and head, so all rows go out.
 */
export async function shapeToPlan(shape: SyntheticShape, promptLength: number): Promise<PlannedModel> {
  const layer = syntheticLayer(shape);
  const { architecture, layers } = SHAPES[shape];
  const ranges = trainedWidths(await syntheticRanges(layer, promptLength));
  const { spec: one, program } = layer.model;
  const spec = { ...one, layers, windows: Array.from({ length: layers }, () => one.windows[0]) };
  const ofLayer0 = (name: string): string => name.replace(/^layers\.\d+\./, "layers.0.");
  return {
    spec,
    program,
    parameters: new Map(architecture.parameters(spec).map((parameter) => [parameter.name, { spec: parameter }])),
    name: `${shape} (shape, random weights)`,
    fingerprint: `synthetic ${shape}`,
    statistics: new ParameterStatistics((name) => layer.parameter(ofLayer0(name))),
    rangeOf: (site) => ranges(ofLayer0(site)),
    isDecoder: false,
  };
}
