import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { DEFAULT_PRECISION, type Precision } from "./precision.ts";

/** What a run could do otherwise. */
export interface Remedies {
  /** Of the run, of which `default` is the coarsest. */
  readonly precision: Precision;
  /** Could its first rows be public, and aren't? */
  readonly mayHavePrefix: boolean;
}

/** A final error that says what to do, where it doesn't yet: for its layers, or those that the message begins with. */
export function withRemedy(error: RingBudgetError, { precision, mayHavePrefix }: Remedies): RingBudgetError {
  const { message, values } = error;
  if (message.includes("--smpc-layers")) return new RingBudgetError(message, { values, isFinal: true });
  const named = /^layers\.(\d+)\./.exec(message)?.[1];
  const layers = error.layers.length > 0 ? error.layers : named === undefined ? [] : [Number(named)];
  const [which, list] =
    layers.length === 0
      ? ["these layers", "LAYERS"]
      : [`layer${layers.length > 1 ? "s" : ""} ${layersText(layers)}`, layersText(layers)];
  const remedies = [
    ...(mayHavePrefix ? ["begin the prompt with public tokens (--chat, --public-prefix)"] : []),
    `let the client evaluate ${which} (--placement ${list}=delegated)`,
    ...(precision === DEFAULT_PRECISION ? [] : ["run at a coarser precision (--smpc-precision)"]),
    `leave ${which} in Cascade (--smpc-layers)`,
  ];
  const last = remedies.pop()!;
  return new RingBudgetError(`${message}; ${remedies.join(", ")}, or ${last}`, { values, isFinal: true });
}

/** The layers that texts begin with, ascending. */
export function layersIn(texts: readonly string[]): number[] {
  const named = texts.flatMap((text) => /^layers\.(\d+)\./.exec(text)?.[1] ?? []).map(Number);
  return [...new Set(named)].sort((a, b) => a - b);
}

/** "0,3-5" for 0, 3, 4, 5. */
function layersText(layers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const layer of layers) {
    const last = runs[runs.length - 1];
    if (last !== undefined && last[1] === layer - 1) last[1] = layer;
    else runs.push([layer, layer]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}
