import type { Gate } from "../gate.ts";
import type { GateName } from "../instruction.ts";
import { centre } from "./centre.ts";
import { columns } from "./columns.ts";
import { combine } from "./combine.ts";
import { input } from "./input.ts";
import { linear } from "./linear.ts";
import { open } from "./open.ts";
import { output } from "./output.ts";
import { pivot } from "./pivot.ts";
import { rotate } from "./rotate.ts";
import { shift } from "./shift.ts";

/** Every gate by its name. */
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
  open,
} as { readonly [G in GateName]: Gate<G> };
