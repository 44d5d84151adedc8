import { append } from "./append.ts";
import { centre } from "./centre.ts";
import { clientInput } from "./client-input.ts";
import { clientOutput } from "./client-output.ts";
import { columns } from "./columns.ts";
import { combine } from "./combine.ts";
import { diagonal } from "./diagonal.ts";
import { evaluate } from "./evaluate.ts";
import { exp } from "./exp.ts";
import { extend } from "./extend.ts";
import { give } from "./give.ts";
import { input } from "./input.ts";
import { linear } from "./linear.ts";
import { mix } from "./mix.ts";
import { multiply } from "./multiply.ts";
import { open } from "./open.ts";
import { output } from "./output.ts";
import { pivot } from "./pivot.ts";
import { rotate } from "./rotate.ts";
import { rowDifference } from "./row-difference.ts";
import { rowScale } from "./row-scale.ts";
import { rowSum } from "./row-sum.ts";
import { scores } from "./scores.ts";
import { series } from "./series.ts";
import { shift } from "./shift.ts";
import { squareScale } from "./square-scale.ts";
import { squares } from "./squares.ts";
import { take } from "./take.ts";

/** Every gate by its name: what a plan's instructions may be follows from this table (plan/instruction.ts). */
export const gates = {
  input,
  output,
  linear,
  combine,
  columns,
  rotate,
  centre,
  pivot,
  shift,
  series,
  exp,
  open,
  append,
  extend,
  scores,
  mix,
  squares,
  "square-scale": squareScale,
  "row-scale": rowScale,
  multiply,
  "row-sum": rowSum,
  "row-difference": rowDifference,
  diagonal,
  take,
  give,
  evaluate,
  "client-input": clientInput,
  "client-output": clientOutput,
} as const;
