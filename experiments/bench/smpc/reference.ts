/** The input of a task, its output in float64 and its ranges: what the parties' result is held against. */
import { readFile } from "node:fs/promises";
import { openModel, type Model } from "../../../layers/model.ts";
import { referenceAlgebra } from "../../../layers/reference/algebra.ts";
import { plainAttention } from "../../../layers/reference/attention.ts";
import { parameterReader } from "../../../layers/reference/engine.ts";
import { matrixOf, tensorOf, type Matrix } from "../../../layers/reference/matrix.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { loadRanges } from "../../../protocols/smpc/calibration/load-ranges.ts";
import { rangeOfSite } from "../../../protocols/smpc/calibration/margins.ts";
import { observeLayers } from "../../../protocols/smpc/calibration/observe-layers.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { syntheticLayer, trainedWidths } from "../synthetic-layer.ts";
import { openLayers, type LayersToRun, type OpenedLayers } from "./workload.ts";

/** "trained": at least as wide as trained models need (synthetic-layer.ts); "observed": what calibration gives, with its margins. */
export type Widths = "trained" | "observed";

export interface Reference {
  /** [rows, d] */
  readonly input: Float64Array;
  /** [rows, d], after the last layer, in float64 */
  readonly output: Float64Array;
  readonly rows: number;
  readonly ranges: Readonly<Record<string, SiteRange>>;
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
    x = referenceLayer({ ...model, name: run.shape, parameter, from: 0, to: 1 }, 0, x, rows);
  }
  const ranges = { model: `synthetic ${run.shape}`, source: `its own input, ${rows} rows`, sites };
  const rangeOf = widths === "trained" ? trainedWidths(ranges) : rangeOfSite(ranges);
  return { input, output: x, rows, ranges: mapped(Object.keys(sites), rangeOf) };
}

/**
 * One layer of a model on disk, on the first `rows` tokens of a text (fewer if it is shorter), with the ranges that a session would use.
 * Throws ModelFileError for a model without tokenizer or ranges that can't be used, RangeError for a text of fewer than two tokens.
 */
export async function modelReference(
  run: Extract<LayersToRun, { kind: "model" }>,
  textFile: string,
  rows: number,
  onStep: (text: string) => void,
): Promise<Reference> {
  const layers = await openLayers(run);
  const model = await openModel(run.path);
  try {
    const ids = (await openTokenizer(model.path)).encode(await readFile(textFile, "utf8")).slice(0, rows);
    if (ids.length < 2) throw new RangeError(`text: expected at least 2 tokens, got ${ids.length}`);
    const loaded = await loadRanges(model, { from: run.layer, to: run.layer + 1, head: false }, onStep);
    const input = await rowsBefore(model, run.layer, ids, onStep);
    const output = referenceLayer(layers, run.layer, input, ids.length);
    return { input, output, rows: ids.length, ranges: mapped(Object.keys(loaded.sites), rangeOfSite(loaded)) };
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
    x = referenceLayer(await openLayers({ kind: "model", path: model.path, layer: before }), before, x, ids.length);
  }
  return x;
}

/** Rows [rows, d] through one layer in float64, with ordinary softmax attention. */
function referenceLayer(
  { spec, program, parameter }: OpenedLayers,
  layer: number,
  x: Float64Array,
  rows: number,
): Float64Array {
  const positions = Array.from({ length: rows }, (_, t) => t);
  const matrix = (name: string): ReturnType<typeof parameter> => parameter(name);
  const algebra = referenceAlgebra(matrix, { ids: [], positions });
  const entering: Matrix = matrixOf({ data: x, shape: [rows, spec.width] });
  const { q, k, v } = program.pre(algebra, spec, layer, entering);
  const attended = plainAttention(program.attention(spec, layer), { rows: q, positions }, { rows: k, positions }, v);
  return tensorOf(program.post(algebra, spec, layer, entering, attended)).data;
}

const mapped = (sites: readonly string[], rangeOf: (site: string) => SiteRange): Readonly<Record<string, SiteRange>> =>
  Object.fromEntries(sites.map((site) => [site, rangeOf(site)]));
