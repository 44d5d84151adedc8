import { seededChance } from "../../lab/statistics/bootstrap.ts";

export interface TrainingWindowOptions {
  /** Most tokens in all. */
  readonly tokens: number;
  /** Tokens of a window: a model reads each on its own. */
  readonly length: number;
  readonly seed: number;
}

/** Windows of `length` tokens, drawn without order from all whole windows of the documents; as many as `tokens` allows. */
export function trainingWindows(
  documents: readonly (readonly number[])[],
  { tokens, length, seed }: TrainingWindowOptions,
): number[][] {
  const windows: number[][] = [];
  for (const ids of documents)
    for (let from = 0; from + length <= ids.length; from += length) windows.push(ids.slice(from, from + length));
  const chance = seededChance(`training windows ${seed}`);
  const count = Math.min(windows.length, Math.floor(tokens / length));
  for (let at = 0; at < count; at++) {
    const other = at + Math.floor(chance() * (windows.length - at));
    [windows[at], windows[other]] = [windows[other], windows[at]];
  }
  if (count === 0) throw new Error(`training text: expected a whole window of ${length} tokens, got none`);
  return windows.slice(0, count);
}
