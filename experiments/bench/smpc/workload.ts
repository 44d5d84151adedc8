/** What the SMPC bench computes, as plain JSON that every party opens for itself, as real parties open a model. */
import { openModel } from "../../../layers/model.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { SessionModel } from "../../../protocols/fusion/session/prepare-session.ts";
import { LayerWeights } from "../../../protocols/smpc/factors/layer-weights.ts";
import { syntheticLayer, type SyntheticShape } from "../synthetic-layer.ts";

/** Layers with made-up weights, or one layer of a model on disk. */
export type LayersToRun =
  | { readonly kind: "synthetic"; readonly shape: SyntheticShape; readonly layers: number }
  | { readonly kind: "model"; readonly path: string; readonly layer: number };

/** Made-up layers have no table of positions that could end. */
const MANY_POSITIONS = 1 << 20;

/**
 * The layers as a model that has no others, numbered from 0. Throws ModelFileError for a model that can't be read, RangeError for a
 * layer that it doesn't have.
 */
export function openLayers(run: LayersToRun): Promise<SessionModel> {
  return run.kind === "synthetic"
    ? Promise.resolve(syntheticModel(run.shape, run.layers))
    : layerOf(run.path, run.layer);
}

/** Layers of one shape in a row, layer l made from seed l. */
function syntheticModel(shape: SyntheticShape, layers: number): SessionModel {
  const each = Array.from({ length: layers }, (_, seed) => syntheticLayer(shape, seed));
  const { spec, program } = each[0].model;
  const parameters = each.flatMap((layer, l) =>
    layer.parameters.map((parameter) => {
      const name = parameter.name.replace(/^layers\.0\./, `layers.${l}.`);
      return [name, { spec: { ...parameter, name }, layer, in0: parameter.name }] as const;
    }),
  );
  const byName = new Map(parameters);
  return {
    name: shape,
    spec: { ...onlyLayers(spec, spec.windows[0], layers), maxPositions: MANY_POSITIONS },
    program,
    fingerprint: `synthetic ${shape}, ${layers} layers`,
    parameters: byName,
    load(name) {
      const { layer, in0 } = byName.get(name)!;
      return Promise.resolve(layer.parameter(in0).data);
    },
  };
}

/** One layer of a model on disk, whose weights are read now. */
async function layerOf(path: string, layer: number): Promise<SessionModel> {
  const model = await openModel(path);
  try {
    const { spec, program, name } = model;
    if (!Number.isInteger(layer) || layer < 0 || layer >= spec.layers)
      throw new RangeError(`layer: expected one of 0 to ${spec.layers - 1}, got ${layer}`);
    const weights = await LayerWeights.open(model, [layer], false);
    const prefix = `layers.${layer}.`;
    const own = [...model.parameters.values()].filter((parameter) => parameter.spec.name.startsWith(prefix));
    const as0 = (parameter: string): string => parameter.replace(prefix, "layers.0.");
    return {
      name: `layer ${layer} of ${name}`,
      spec: onlyLayers(spec, spec.windows[layer], 1),
      program,
      fingerprint: `${model.fingerprint}, layer ${layer}`,
      parameters: new Map(
        own.map((parameter) => [
          as0(parameter.spec.name),
          { spec: { ...parameter.spec, name: as0(parameter.spec.name) } },
        ]),
      ),
      load: (parameter) => Promise.resolve(weights.parameter(parameter.replace("layers.0.", prefix)).data),
    };
  } finally {
    await model.close();
  }
}

/** The shape of a model with `layers` layers of one attention window. */
const onlyLayers = (spec: ModelSpec, window: number | null, layers: number): ModelSpec => ({
  ...spec,
  layers,
  windows: Array.from({ length: layers }, () => window),
});
