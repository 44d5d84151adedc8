import { readFile } from "node:fs/promises";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { readGolden } from "../verify/golden.ts";

/** A text to run, and what another framework computed for it, where that is known. */
export interface AccuracyText {
  /** Where it comes from, for people. */
  readonly name: string;
  readonly ids: readonly number[];
  /** Greedy continuation; null: unknown. */
  readonly greedy: readonly number[] | null;
  /** I -> rows after block I, [N, d]; a decoder's last ones have had the final norm. */
  readonly hidden: ReadonlyMap<number, Float32Array>;
}

/** The prompts of a golden file (`verify`'s format) and the lines of a text file, `\n` written out. Throws Error where there are none. */
export async function accuracyTexts(
  modelPath: string,
  { golden, prompts, most }: { readonly golden?: string; readonly prompts?: string; readonly most: number },
): Promise<AccuracyText[]> {
  const texts: AccuracyText[] = [];
  if (golden !== undefined)
    for (const { prefix, ids, greedy, hidden } of await readGolden(golden))
      texts.push({ name: `golden ${prefix}`, ids, greedy, hidden });
  if (prompts !== undefined) {
    const tokenizer = await openTokenizer(modelPath);
    const lines = (await readFile(prompts, "utf8")).split("\n").filter((line) => line.trim() !== "");
    for (const [at, line] of lines.slice(0, most).entries())
      texts.push({
        name: `line ${at + 1}`,
        ids: tokenizer.encode(line.replaceAll("\\n", "\n"), { addSpecial: true }),
        greedy: null,
        hidden: new Map(),
      });
  }
  if (texts.length === 0) throw new Error("texts: expected --golden or --prompts, got neither, or empty files");
  return texts;
}
