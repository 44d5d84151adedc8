import type { ModelSpec } from "../model-spec.ts";
import { parameterNames } from "../parameter-names.ts";
import type { Algebra, BlockProgram, ParameterSpec } from "../program.ts";
import type { StageEngine } from "../stage-engine.ts";
import type { Tensor } from "../tensor.ts";
import { referenceAlgebra } from "./algebra.ts";
import { partialAttention } from "./attention.ts";
import { matrixOf, tensorOf, type Matrix } from "./matrix.ts";

/** What the reference reads of a model, on disk or made up. */
export interface ReferenceModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly parameters: ReadonlyMap<string, { readonly spec: ParameterSpec }>;
  load(name: string): Promise<Float32Array>;
}

/**
 * The model in float64, one stage at a time. Parameters are read when a stage first needs them and then kept.
 * Doesn't close the model.
 */
export async function referenceEngine(model: ReferenceModel): Promise<StageEngine> {
  const { spec, program } = model;
  const reader = parameterReader(model);
  /** The algebra on these rows, with what `part` of the program needs in memory. */
  const on = async (
    ids: readonly number[],
    positions: readonly number[],
    part: (algebra: Algebra<null>) => unknown,
  ): Promise<Algebra<Matrix>> => {
    await reader.load(part);
    return referenceAlgebra(reader.parameter, { ids, positions });
  };
  return {
    spec,
    word: "float64",
    attention: (layer) => program.attention(spec, layer),
    async embed(ids, positions) {
      checkRows("embed", positions, ids.length);
      return tensorOf(program.embed(await on(ids, positions, (a) => program.embed(a, spec)), spec));
    },
    async pre(layer, x, positions) {
      checkRows("pre", positions, x.shape[0]);
      const algebra = await on([], positions, (a) => program.pre(a, spec, layer, null));
      const { q, k, v } = program.pre(algebra, spec, layer, matrixOf(x));
      return { q: tensorOf(q), k: tensorOf(k), v: tensorOf(v) };
    },
    async attend(layer, q, qPositions, k, v, kPositions) {
      checkRows("attend queries", qPositions, q.shape[0]);
      checkRows("attend keys", kPositions, k.shape[0]);
      const queries = { rows: matrixOf(q), positions: qPositions };
      return partialAttention(
        program.attention(spec, layer),
        queries,
        { rows: matrixOf(k), positions: kPositions },
        matrixOf(v),
      );
    },
    async post(layer, x, attended) {
      const algebra = await on([], [], (a) => program.post(a, spec, layer, null, null));
      return tensorOf(program.post(algebra, spec, layer, matrixOf(x), matrixOf(attended)));
    },
    async head(x) {
      const { logits } = program;
      const algebra = await on([], [], (a) => [program.finish(a, spec, null), logits?.(a, spec, null)]);
      const finished = program.finish(algebra, spec, matrixOf(x));
      return {
        finished: tensorOf(finished),
        logits: logits === null ? null : tensorOf(logits(algebra, spec, finished)),
      };
    },
    async close() {},
  };
}

/** Canonical parameters of a model by name: read on demand, kept after. */
export function parameterReader(model: ReferenceModel): {
  load(part: (algebra: Algebra<null>) => unknown): Promise<void>;
  parameter(this: void, name: string): Tensor<Float32Array>;
} {
  const kept = new Map<string, Promise<void>>();
  const values = new Map<string, Tensor<Float32Array>>();
  const read = async (name: string): Promise<void> => {
    values.set(name, { data: await model.load(name), shape: model.parameters.get(name)!.spec.shape });
  };
  return {
    async load(part) {
      await Promise.all(
        parameterNames(part).map((name) => {
          const reading = kept.get(name) ?? read(name);
          kept.set(name, reading);
          return reading;
        }),
      );
    },
    parameter(name) {
      const value = values.get(name);
      if (value === undefined)
        throw new Error(`parameter ${name}: expected it to be loaded before its stage runs, got none`);
      return value;
    },
  };
}

function checkRows(what: string, positions: readonly number[], rows: number): void {
  if (positions.length !== rows)
    throw new RangeError(`${what}: expected a position for each of ${rows} rows, got ${positions.length}`);
}
