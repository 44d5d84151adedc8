import { llama } from "../../../layers/architectures/llama.ts";
import { gpt2 } from "../../../layers/architectures/gpt2.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { lowerLayers, type LayerRun } from "../../../protocols/smpc/lowering/lower-layers.ts";
import type { Precision } from "../../../protocols/smpc/lowering/precision.ts";
import type { SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { Generator } from "../../../shares/generator.ts";

const ARCHITECTURES = { llama, gpt2 } as const;

/** One random layer, small enough to be run hundreds of times. */
export interface TinyLayer {
  readonly spec: ModelSpec;
  /** For lowering it otherwise than `plan` does. */
  readonly run: Pick<LayerRun, "spec" | "program" | "statistics" | "from" | "to" | "head" | "sequenceLimit">;
  readonly factors: ModelFactors;
  /** Rows of the step and of the steps before; `maxAbsOf`: largest magnitudes at sites, in place of ones with room. */
  plan(rows: number, past: number, precision?: Precision, maxAbsOf?: (site: string) => number): Plan;
  /** Normal rows [rows, width]. */
  rows(count: number, seed: string): Float64Array;
}

/** Most rows of a session with a tiny layer. */
export const TINY_LIMIT = 8;

/** A random layer of 16 features, two heads of 8, ranges that hold it with room. */
export function tinyLayer(kind: keyof typeof ARCHITECTURES, seed: string): TinyLayer {
  const architecture = ARCHITECTURES[kind];
  const spec: ModelSpec = {
    modelType: kind,
    layers: 1,
    width: 16,
    heads: 2,
    kvHeads: kind === "llama" ? 1 : 2,
    headDim: 8,
    mlpWidth: 24,
    vocabulary: 11,
    maxPositions: TINY_LIMIT,
    normEpsilon: 1e-5,
    activation: kind === "llama" ? "silu" : "geluTanh",
    rope: kind === "llama" ? { inverseFrequencies: [1, 0.1, 0.01, 0.001] } : null,
    attentionScale: 8 ** -0.5,
    attentionSoftCap: null,
    logitSoftCap: null,
    causal: true,
    windows: [null],
    tiedHead: true,
    qkvBias: kind === "gpt2",
    outputBias: kind === "gpt2",
    mlpBias: kind === "gpt2",
    stopTokens: [],
  };
  const generator = new Generator(seed, "weights");
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - generator.nextUnit())) * Math.cos(2 * Math.PI * generator.nextUnit());
  const parameters = new Map(
    architecture.parameters(spec).map(({ name, shape }) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
        name.includes("norm") ? 1 + 0.1 * normal() : 0.2 * normal(),
      );
      return [name, { data, shape }];
    }),
  );
  const parameter = (name: string) => parameters.get(name)!;
  const range = (maxAbs: number): SiteRange => ({
    range: "calibrated",
    maxAbs,
    low: -8,
    high: 8,
    spread: 12,
    minSquare: 0.1,
    maxSquare: 12,
  });
  const statistics = new ParameterStatistics(parameter);
  const run = {
    spec,
    program: architecture.program,
    statistics,
    from: 0,
    to: 1,
    head: false,
    sequenceLimit: TINY_LIMIT,
  };
  return {
    spec,
    run,
    factors: new ModelFactors(parameter),
    plan: (rows, past, precision, maxAbsOf = () => 15) =>
      lowerLayers({ ...run, ranges: (site) => range(maxAbsOf(site)), rows, past, precision }),
    rows(count, rowSeed) {
      const draw = new Generator(rowSeed, "rows");
      return Float64Array.from(
        { length: count * spec.width },
        () => Math.sqrt(-2 * Math.log(1 - draw.nextUnit())) * Math.cos(2 * Math.PI * draw.nextUnit()),
      );
    },
  };
}
