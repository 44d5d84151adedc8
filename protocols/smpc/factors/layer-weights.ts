import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram, ParameterSpec } from "../../../layers/program.ts";
import type { PublicPrefix } from "../../../layers/prefix/public-prefix.ts";
import { readPrefixVectors } from "./prefix-vectors.ts";
import { ParameterStatistics } from "./parameter-statistics.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** What a party, a dealer or a client needs of a model to lower its layers. */
export interface WeightedModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly fingerprint: string;
  readonly parameters: ReadonlyMap<string, { readonly spec: ParameterSpec }>;
  load(name: string): Promise<Float32Array>;
}

interface Parameter {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** Parameters that were loaded, by model, at most all of it: parties of one process read them once. */
const loaded = new WeakMap<WeightedModel, Map<string, Promise<Parameter>>>();

/** The public weights of the layers that run under SMPC, and of nothing else. */
export class LayerWeights {
  readonly parameter: ParameterSource;
  readonly statistics: ParameterStatistics;

  private constructor(parameters: ReadonlyMap<string, Parameter>) {
    this.parameter = (name) => {
      const found = parameters.get(name);
      if (found === undefined)
        throw new Error(`parameter ${name}: expected one of the layers under SMPC, got another or none`);
      return found;
    };
    this.statistics = new ParameterStatistics(this.parameter);
  }

  /**
   * Loads the parameters of these layers, with `head` those outside the layers, and what a public prefix adds to them. Of layers in
   * `withoutMatrices` vectors alone: of a matrix of theirs only the shape is known, and its entries are none.
   */
  static async open(
    model: WeightedModel,
    layers: readonly number[],
    head: boolean,
    {
      prefix = null,
      withoutMatrices = new Set(),
    }: { readonly prefix?: PublicPrefix | null; readonly withoutMatrices?: ReadonlySet<number> } = {},
  ): Promise<LayerWeights> {
    let known = loaded.get(model);
    if (known === undefined) loaded.set(model, (known = new Map()));
    const parameters = new Map<string, Parameter>();
    await Promise.all(
      [...model.parameters].map(async ([name, { spec }]) => {
        const layer = /^layers\.(\d+)\./.exec(name)?.[1];
        if (layer === undefined ? !head : !layers.includes(Number(layer))) return;
        if (layer !== undefined && spec.shape.length > 1 && withoutMatrices.has(Number(layer))) {
          parameters.set(name, { data: new Float32Array(0), shape: spec.shape });
          return;
        }
        let parameter = known.get(name);
        if (parameter === undefined) {
          parameter = model.load(name).then((data) => ({ data, shape: spec.shape }));
          known.set(name, parameter);
          parameter.catch(() => known.delete(name));
        }
        parameters.set(name, await parameter);
      }),
    );
    if (prefix !== null)
      for (const [name, vector] of await readPrefixVectors(prefix, layers)) parameters.set(name, vector);
    return new LayerWeights(parameters);
  }
}
