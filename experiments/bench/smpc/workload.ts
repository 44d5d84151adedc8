/** What the SMPC bench computes, as plain JSON that every party opens for itself, as real parties open a model. */
import { openModel } from "../../../layers/model.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram } from "../../../layers/program.ts";
import { LayerWeights } from "../../../protocols/smpc/factors/layer-weights.ts";
import { lowerLayers } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { PRECISIONS, type PrecisionName } from "../../../protocols/smpc/lowering/precision.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { ParameterStatistics, type ParameterSource } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { syntheticLayer, type SyntheticShape } from "../synthetic-layer.ts";

/** Layers with made-up weights, or one layer of a model on disk. */
export type LayersToRun =
  | { readonly kind: "synthetic"; readonly shape: SyntheticShape; readonly layers: number }
  | { readonly kind: "model"; readonly path: string; readonly layer: number };

/** All that a plan follows from. */
export interface SmpcTask {
  readonly run: LayersToRun;
  readonly rows: number;
  readonly precision: PrecisionName;
  /** By site, as the lowering reads them: margins included. */
  readonly ranges: Readonly<Record<string, SiteRange>>;
}

/** Layers from ... to - 1 with their weights in memory. */
export interface OpenedLayers {
  /** Of the shape, or of the model. */
  readonly name: string;
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly parameter: ParameterSource;
  readonly from: number;
  readonly to: number;
}

/** Opens the layers. Throws ModelFileError for a model that can't be read, RangeError for a layer that it doesn't have. */
export async function openLayers(run: LayersToRun): Promise<OpenedLayers> {
  if (run.kind === "synthetic") return syntheticLayers(run.shape, run.layers);
  const model = await openModel(run.path);
  try {
    const { spec, program, name } = model;
    if (!Number.isInteger(run.layer) || run.layer < 0 || run.layer >= spec.layers)
      throw new RangeError(`layer: expected one of 0 to ${spec.layers - 1}, got ${run.layer}`);
    const { parameter } = await LayerWeights.open(model, [run.layer], false);
    return { name, spec, program, parameter, from: run.layer, to: run.layer + 1 };
  } finally {
    await model.close();
  }
}

/** Layers of one shape in a row, layer l made from seed l. */
function syntheticLayers(shape: SyntheticShape, layers: number): OpenedLayers {
  const each = Array.from({ length: layers }, (_, seed) => syntheticLayer(shape, seed));
  const { spec, program } = each[0].model;
  const parameter: ParameterSource = (name) => {
    const [, layer, rest] = /^layers\.(\d+)\.(.*)$/.exec(name) ?? [];
    const found = each[Number(layer)];
    if (found === undefined)
      throw new Error(`parameter ${name}: expected one of layers 0 to ${layers - 1}, got another`);
    return found.parameter(`layers.0.${rest}`);
  };
  const windows = Array.from({ length: layers }, () => spec.windows[0]);
  return { name: shape, spec: { ...spec, layers, windows }, program, parameter, from: 0, to: layers };
}

/** The plan of a task: the same at every party, as it follows from public things. Throws RingBudgetError, or Error naming a site without a range. */
export function planOf({ spec, program, parameter, from, to }: OpenedLayers, task: SmpcTask): Plan {
  const { ranges, rows, precision } = task;
  return lowerLayers({
    spec,
    program,
    statistics: new ParameterStatistics(parameter),
    ranges: (site) => {
      const range = ranges[site];
      if (range === undefined) throw new Error(`range of ${site}: expected one, got none`);
      return range;
    },
    from,
    to,
    head: false,
    rows,
    past: 0,
    sequenceLimit: rows,
    precision: PRECISIONS[precision],
  });
}
