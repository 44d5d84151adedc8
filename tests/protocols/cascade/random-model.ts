/** Tiny models with seeded random weights, in memory: shapes and masks that no checkpoint has. */
import { llama } from "../../../layers/architectures/llama.ts";
import type { StoredParameter } from "../../../layers/model-parameters.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { Model } from "../../../layers/model.ts";
import type { WeightSource } from "../../../layers/weight-source.ts";
import { Generator } from "../../../shares/generator.ts";

export interface RandomModelOptions {
  readonly seed: number;
  readonly layers: number;
  readonly kvHeads: number;
  /** Query heads for each key/value head. */
  readonly group: number;
  readonly headDim: number;
  /** Default: true. */
  readonly causal?: boolean;
  /** Window of every other layer, beginning with the first; null, the default: none. */
  readonly window?: number | null;
  /** Default: null. */
  readonly softCap?: number | null;
  /** Factor on q and k weights: large ones make extreme logits. Default: 1. */
  readonly sharpness?: number;
}

/** A Llama-like model with these shapes. */
export function randomModel(options: RandomModelOptions): Model {
  const { layers, kvHeads, group, headDim, causal = true, window = null, softCap = null, sharpness = 1 } = options;
  const heads = kvHeads * group;
  const spec: ModelSpec = {
    modelType: "llama",
    layers,
    width: 12,
    heads,
    kvHeads,
    headDim,
    mlpWidth: 10,
    vocabulary: 17,
    maxPositions: 256,
    normEpsilon: 1e-5,
    activation: "silu",
    rope: { inverseFrequencies: Array.from({ length: headDim / 2 }, (_, i) => 100 ** (-(2 * i) / headDim)) },
    attentionScale: 1 / Math.sqrt(headDim),
    attentionSoftCap: softCap,
    logitSoftCap: null,
    causal,
    windows: Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? window : null)),
    tiedHead: true,
    qkvBias: true,
    outputBias: false,
    mlpBias: false,
    stopTokens: [],
  };
  const parameters = new Map<string, StoredParameter>(
    llama.parameters(spec).map((each) => [each.name, { spec: each, storedName: each.name }]),
  );
  return {
    path: "random",
    name: "random",
    spec,
    notes: [],
    program: llama.program,
    parameters,
    source: emptySource,
    fingerprint: `random ${JSON.stringify(options)}`,
    load: (name) => Promise.resolve(randomValues(parameters.get(name)!, options.seed, sharpness)),
    close: () => Promise.resolve(),
  };
}

/** Ids below the vocabulary of `randomModel`. */
export function randomIds(seed: number, length: number): number[] {
  const generator = new Generator(String(seed), "ids");
  return Array.from({ length }, () => Math.floor(generator.nextUnit() * 17));
}

function randomValues({ spec }: StoredParameter, seed: number, sharpness: number): Float32Array {
  const generator = new Generator(String(seed), spec.name);
  const scale = /\.(q|k)\.weight$/.test(spec.name) ? sharpness : 1;
  const values = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  return values.map(() => scale * (generator.nextUnit() - 0.5) * 1.2);
}

/** Nothing is stored: `load` makes the values. */
const emptySource: WeightSource = {
  format: "safetensors",
  files: [],
  tensors: new Map(),
  readRows: () => Promise.reject(new Error("random model: expected no read from a file")),
  close: () => Promise.resolve(),
};
