/** `key=value` on a command line: what a question varies or is, for this run. */
import { didYouMean } from "../../protocols/fusion/config/did-you-mean.ts";
import { questionSchema, SETTING_KEYS } from "./question.ts";

/** Keys of a question that are one value, by the path that a person writes. */
const QUESTION_KEYS = [
  "model",
  "repeats",
  "seed",
  ...Object.keys(questionSchema.shape.workload.shape).map((key) => `workload.${key}`),
];

/**
 * What texts such as `alpha=4,8`, `workload.tokens=32` or `measures=cost,exposure` lay over a question. A run config's key is varied: its
 * values, parted by commas, take the place of the grid's (`;;` parts values that hold commas). Throws Error for a key that there isn't,
 * naming the nearest.
 */
export function overridesOf(texts: readonly string[]): Record<string, unknown> {
  const over: { grid: Record<string, unknown[]>; [key: string]: unknown } = { grid: {} };
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw new Error(`override ${text}: expected key=value, got no =`);
    const [key, given] = [text.slice(0, at), text.slice(at + 1)];
    if (key === "measures") over.measures = listOf(given);
    else if (QUESTION_KEYS.includes(key)) set(over, key, valueOf(given));
    else if (SETTING_KEYS.includes(key)) over.grid[key] = listOf(given).map(valueOf);
    else {
      const known = [...QUESTION_KEYS, ...SETTING_KEYS, "measures"];
      throw new Error(
        `override ${text}: expected a key of a question or of a run config, got ${key}${didYouMean(key, known)}`,
      );
    }
  }
  return over;
}

const listOf = (text: string): string[] => text.split(text.includes(";;") ? ";;" : ",");

/** A number, true, false, or the text itself. */
function valueOf(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Puts a value at "repeats", or at "workload.tokens". */
function set(over: Record<string, unknown>, key: string, value: unknown): void {
  const [, outer, inner] = /^(\w+)(?:\.(\w+))?$/.exec(key)!;
  over[outer] = inner === undefined ? value : { ...(over[outer] as object | undefined), [inner]: value };
}
