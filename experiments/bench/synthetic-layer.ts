/**
 * Layers of the shapes of real models with made-up weights, for benchmarks without a checkpoint: the workload that other frameworks'
 * layers were measured on (weights and biases normal(0, 0.02), gains 1, layer-normed input), seeded here.
 */
import { bert } from "../../layers/architectures/bert.ts";
import { llama } from "../../layers/architectures/llama.ts";
import type { Architecture } from "../../layers/architectures/architecture.ts";
import type { ParameterSpec } from "../../layers/program.ts";
import type { ParameterSource } from "../../protocols/smpc/factors/parameter-source.ts";
import { observeLayers } from "../../protocols/smpc/calibration/observe-layers.ts";
import type { ReadableModel } from "../../protocols/smpc/calibration/readable-model.ts";
import type { ModelRanges, SiteKind, SiteRange } from "../../protocols/smpc/lowering/ranges.ts";

/** "bert-base": an encoder layer, 768 wide, MLP 3072. "smollm2": a decoder layer, 576 wide, 9 query and 3 key heads, MLP 1536. */
export type SyntheticShape = "bert-base" | "smollm2";

/** One layer, number 0, without embeddings and head. */
export interface SyntheticLayer {
  readonly shape: SyntheticShape;
  readonly model: ReadableModel;
  /** Its parameters, of layer 0. */
  readonly parameters: readonly ParameterSpec[];
  /** The same parameters, at once. */
  readonly parameter: ParameterSource;
  /** Layer-normed normal rows [rows, d]; the same ones for the same seed. */
  input(rows: number): Float64Array;
}

const CONFIGS: Readonly<Record<SyntheticShape, { architecture: Architecture; config: object }>> = {
  "bert-base": {
    architecture: bert,
    config: {
      model_type: "bert",
      hidden_size: 768,
      intermediate_size: 3072,
      num_hidden_layers: 1,
      num_attention_heads: 12,
      vocab_size: 1,
      max_position_embeddings: 512,
      layer_norm_eps: 1e-12,
    },
  },
  smollm2: {
    architecture: llama,
    config: {
      model_type: "llama",
      hidden_size: 576,
      intermediate_size: 1536,
      num_hidden_layers: 1,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      vocab_size: 1,
      max_position_embeddings: 2048,
      rms_norm_eps: 1e-5,
      rope_theta: 100_000,
      tie_word_embeddings: true,
    },
  },
};

const DEVIATION = 0.02;
const INPUT_EPSILON = 1e-12;

/** A layer of this shape, each parameter made when it is first read. The weights depend on `seed` and on the shape only; they are the same on every machine. */
export function syntheticLayer(shape: SyntheticShape, seed = 0): SyntheticLayer {
  const { architecture, config } = CONFIGS[shape];
  const spec = architecture.readSpec(config, `synthetic ${shape}`);
  const names = architecture.parameters(spec).filter(({ name }) => name.startsWith("layers.0."));
  const made = new Map<string, ReturnType<ParameterSource>>();
  const parameter: ParameterSource = (name) => {
    let found = made.get(name);
    if (found === undefined) {
      const at = names.findIndex((one) => one.name === name);
      if (at < 0) throw new Error(`parameter ${name}: expected one of layer 0, got another`);
      found = { data: weights(name, names[at].shape, seed * 1000 + at), shape: names[at].shape };
      made.set(name, found);
    }
    return found;
  };
  return {
    shape,
    parameters: names,
    model: { spec, program: architecture.program, parameter: (name) => Promise.resolve(parameter(name)) },
    parameter,
    input: (rows) => layerNormed(normals(rows * spec.width, seed * 1000 + 999), spec.width),
  };
}

/** Gains are 1 and biases of norms 0; all else is normal. */
function weights(name: string, shape: readonly number[], seed: number): Float32Array {
  const length = shape.reduce((a, b) => a * b, 1);
  if (/\.norm\d\.weight$/.test(name)) return new Float32Array(length).fill(1);
  if (/\.norm\d\.bias$/.test(name)) return new Float32Array(length);
  return Float32Array.from(normals(length, seed), (value) => value * DEVIATION);
}

/** Ranges of the layer on its own input, without margins, as for a model on disk. */
export async function syntheticRanges(layer: SyntheticLayer, rows: number): Promise<ModelRanges> {
  const batch = { ids: [], lengths: [rows], rows: layer.input(rows) };
  const statistics = await observeLayers(layer.model, [batch], { from: 0, to: 1, head: false });
  return {
    model: `synthetic ${layer.shape}`,
    source: `its own input, ${rows} rows`,
    sites: Object.fromEntries(statistics.ranges()),
  };
}

/**
 * Ranges (margins included) that are as wide as trained models need, where random weights would make a
 * layer look cheaper than it is: logits with three rungs (4, 2, 1) in a period of 2^6 nats at 128 keys, activations to 16, attention
 * output to 4, norms with a dynamic range of 256 in mean square and inputs of 19 or 20 bits.
 */
export function trainedWidths(ranges: ModelRanges): (site: string) => SiteRange {
  return (site) => {
    const seen = ranges.sites[site];
    if (seen === undefined) throw new Error(`range of ${site}: expected one, got none`);
    const maxAbs = (least: number): SiteRange => ({
      range: "calibrated",
      widened: true,
      maxAbs: Math.max(seen.maxAbs, least),
    });
    switch (site.split(".").at(-2) as SiteKind) {
      case "activation":
      case "operand":
        return maxAbs(16);
      case "attended":
        return maxAbs(4);
      case "logits":
        return { ...maxAbs(16), low: -16, high: 13.5, spread: 29.5, diagonalLow: -16, diagonalHigh: 13.5 };
      case "norm": {
        const minSquare = (seen.minSquare ?? 1) / 1.5;
        const smallest = 2 ** Math.floor(Math.log2(Math.sqrt(minSquare)));
        return { ...maxAbs(NORM_REACH * smallest), minSquare, maxSquare: minSquare * 256 };
      }
      case "out":
      case "softCap":
        return maxAbs(32);
    }
  };
}

/** Largest element over the smallest row's root mean square (rounded to a power of two): with 12 bits below it a wire has 20 bits. */
const NORM_REACH = 64;

/** Sums of twelve uniform numbers, minus 6: variance 1, and no function that differs between machines. */
function* normals(length: number, seed: number): Generator<number> {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x85ebca6b) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let word = 0; word < 6; word++) {
      // xorshift32 (Marsaglia 2003); both halves are used.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      sum += (state & 0xffff) + (state >>> 16) + 1;
    }
    yield sum / 2 ** 16 - 6;
  }
}

function layerNormed(values: Iterable<number>, width: number): Float64Array {
  const rows = Float64Array.from(values);
  for (let from = 0; from < rows.length; from += width) {
    const row = rows.subarray(from, from + width);
    const mean = row.reduce((a, b) => a + b, 0) / width;
    const square = row.reduce((a, b) => a + (b - mean) ** 2, 0) / width;
    for (let c = 0; c < width; c++) row[c] = (row[c] - mean) / Math.sqrt(square + INPUT_EPSILON);
  }
  return rows;
}
