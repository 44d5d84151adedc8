import type { ModelSpec } from "../../../layers/model-spec.ts";
import { parameterNames } from "../../../layers/parameter-names.ts";
import type { Algebra, BlockProgram } from "../../../layers/program.ts";
import type { WeightedModel } from "../factors/layer-weights.ts";
import type { ParameterSource } from "../factors/parameter-source.ts";

/** A model whose parameters are read by name: one on disk, or made up. */
export interface ReadableModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  parameter(name: string): Promise<ReturnType<ParameterSource>>;
}

/** A model with weights as one that is read by name. */
export const readableModel = (model: WeightedModel): ReadableModel => ({
  spec: model.spec,
  program: model.program,
  async parameter(name) {
    return { data: await model.load(name), shape: model.parameters.get(name)!.spec.shape };
  },
});

/** Layers from ... to - 1, and the final norm and LM head after them. */
export interface LayerSpan {
  readonly from: number;
  readonly to: number;
  readonly head: boolean;
}

/** The span from the first to the last of some layers. */
export const spanOf = (layers: readonly number[], head: boolean): LayerSpan => ({
  from: Math.min(...layers),
  to: Math.max(...layers) + 1,
  head,
});

/** A part of a program, as far as its parameters go; `input` stands for all that it takes. */
export type ProgramPart = <V>(algebra: Algebra<V>, input: V) => unknown;

/** The block of one layer as a part. */
export const layerPart =
  ({ program, spec }: ReadableModel, layer: number): ProgramPart =>
  (a, x) => [program.pre(a, spec, layer, x), program.post(a, spec, layer, x, x)];

/** The final norm and the LM head as a part. */
export const headPart =
  ({ program, spec }: ReadableModel): ProgramPart =>
  (a, x) => [program.finish(a, spec, x), program.logits?.(a, spec, x)];

/** Parameters of one part of a program: as they are, and in float64. */
export interface PartParameters {
  readonly parameter: ParameterSource;
  readonly float64: (name: string) => Float64Array;
}

/** Reads the parameters that a part of the program uses; float64 copies are made when they are first asked for. */
export async function loadPart(model: ReadableModel, part: ProgramPart): Promise<PartParameters> {
  const loaded = new Map<string, ReturnType<ParameterSource>>();
  for (const name of parameterNames((a) => part(a, null))) loaded.set(name, await model.parameter(name));
  const wide = new Map<string, Float64Array>();
  return {
    parameter: (name) => loaded.get(name)!,
    float64(name) {
      let data = wide.get(name);
      if (data === undefined) wide.set(name, (data = Float64Array.from(loaded.get(name)!.data)));
      return data;
    },
  };
}
