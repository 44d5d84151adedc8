/** The input of the layers, their output in float64 and their ranges: what the parties' result is held against. */
import { readText } from "../../../layers/read-text.ts";
import { openModel, type Model } from "../../../layers/model.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram } from "../../../layers/program.ts";
import { referenceAlgebra } from "../../../layers/reference/algebra.ts";
import { parameterReader } from "../../../layers/reference/engine.ts";
import { matrixOf, tensorOf } from "../../../layers/reference/matrix.ts";
import { plainLayer } from "../../../layers/reference/plain-layer.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { loadRanges } from "../../../protocols/smpc/calibration/load-ranges.ts";
import { observeLayers } from "../../../protocols/smpc/calibration/observe-layers.ts";
import { LayerWeights } from "../../../protocols/smpc/factors/layer-weights.ts";
import type { ParameterSource } from "../../../protocols/smpc/factors/parameter-source.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { syntheticLayer, trainedWidths } from "../synthetic-layer.ts";
import type { LayersToRun } from "./workload.ts";

/** "trained": at least as wide as trained models need (synthetic-layer.ts); "observed": what calibration gives, with its margins. */
export type Widths = "trained" | "observed";

export interface Reference {
  /** [rows, d] */
  readonly input: Float64Array;
  /** [rows, d], after the last layer, in float64 */
  readonly output: Float64Array;
  readonly rows: number;
  /** By site, layers numbered from 0. */
  readonly sites: Readonly<Record<string, SiteRange>>;
}

/** Layers with made-up weights on normal rows, layer by layer, so that few weights are in memory at once. */
export async function syntheticReference(
  run: Extract<LayersToRun, { kind: "synthetic" }>,
  rows: number,
  widths: Widths,
  onStep: (text: string) => void,
): Promise<Reference> {
  const sites: Record<string, SiteRange> = {};
  const input = syntheticLayer(run.shape).input(rows);
  let x = input;
  for (let layer = 0; layer < run.layers; layer++) {
    onStep(`reference of layer ${layer}`);
    const { model, parameter } = syntheticLayer(run.shape, layer);
    const batch = { ids: [], lengths: [rows], rows: x };
    const observed = await observeLayers(model, [batch], { from: 0, to: 1, head: false });
    for (const [site, range] of observed.ranges()) sites[site.replace(/^layers\.0\./, `layers.${layer}.`)] = range;
    x = referenceLayer({ ...model, parameter }, 0, x, rows);
  }
  if (widths === "observed") return { input, output: x, rows, sites };
  const trained = trainedWidths({ model: `synthetic ${run.shape}`, source: `its own input, ${rows} rows`, sites });
  const wide = Object.keys(sites).map((site) => [site, trained(site)] as const);
  return { input, output: x, rows, sites: Object.fromEntries(wide) };
}

/**
 * One layer of a model on disk, on the first `rows` tokens of a text (fewer if it is shorter), with the ranges that a session would use.
 * Throws ModelFileError for a model without tokenizer or ranges that can't be used, RangeError for a text of fewer than two tokens.
 */
export async function modelReference(
  { path, layer }: Extract<LayersToRun, { kind: "model" }>,
  textFile: string,
  rows: number,
  onStep: (text: string) => void,
): Promise<Reference> {
  const model = await openModel(path);
  try {
    const ids = (await openTokenizer(model.path)).encode(await readText("text", textFile)).slice(0, rows);
    if (ids.length < 2) throw new RangeError(`text: expected at least 2 tokens, got ${ids.length}`);
    const loaded = await loadRanges(model, { from: layer, to: layer + 1, head: false }, onStep);
    const prefix = `layers.${layer}.`;
    const own = Object.entries(loaded.sites).filter(([site]) => site.startsWith(prefix));
    const input = await rowsBefore(model, layer, ids, onStep);
    return {
      input,
      output: await modelLayer(model, layer, input, ids.length),
      rows: ids.length,
      sites: Object.fromEntries(own.map(([site, range]) => [site.replace(prefix, "layers.0."), range])),
    };
  } finally {
    await model.close();
  }
}

/** Rows [rows, d] that enter a layer, in float64. */
async function rowsBefore(
  model: Model,
  layer: number,
  ids: readonly number[],
  onStep: (text: string) => void,
): Promise<Float64Array> {
  const { spec, program } = model;
  const reader = parameterReader(model);
  await reader.load((a) => program.embed(a, spec));
  const positions = ids.map((_, t) => t);
  let x = tensorOf(program.embed(referenceAlgebra(reader.parameter, { ids, positions }), spec)).data;
  for (let before = 0; before < layer; before++) {
    onStep(`reference of layer ${before}`);
    x = await modelLayer(model, before, x, ids.length);
  }
  return x;
}

/** Rows [rows, d] through a layer of a model, in float64. */
async function modelLayer(model: Model, layer: number, x: Float64Array, rows: number): Promise<Float64Array> {
  const { parameter } = await LayerWeights.open(model, [layer], false);
  return referenceLayer({ ...model, parameter }, layer, x, rows);
}

function referenceLayer(
  model: { readonly spec: ModelSpec; readonly program: BlockProgram; readonly parameter: ParameterSource },
  layer: number,
  x: Float64Array,
  rows: number,
): Float64Array {
  const positions = Array.from({ length: rows }, (_, t) => t);
  const algebra = referenceAlgebra((name) => model.parameter(name), { ids: [], positions });
  return tensorOf(plainLayer(model, algebra, layer, matrixOf({ data: x, shape: [rows, model.spec.width] }), positions))
    .data;
}
