import type { ModelSpec } from "../model-spec.ts";
import type { Algebra, BlockProgram } from "../program.ts";
import { plainAttention } from "./attention.ts";
import type { Matrix } from "./matrix.ts";

/** One layer on whole sequences in float64, with ordinary softmax attention: x [rows, d] at its input to x after it. */
export function plainLayer(
  { program, spec }: { readonly program: BlockProgram; readonly spec: ModelSpec },
  algebra: Algebra<Matrix>,
  layer: number,
  x: Matrix,
  positions: readonly number[],
): Matrix {
  const { q, k, v } = program.pre(algebra, spec, layer, x);
  const attended = plainAttention(program.attention(spec, layer), { rows: q, positions }, { rows: k, positions }, v);
  return program.post(algebra, spec, layer, x, attended);
}
