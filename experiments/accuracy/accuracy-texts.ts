import { warn } from "../../layers/warning.ts";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { encodePrompt } from "../../protocols/fusion/client/encode-prompt.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { readGolden } from "../verify/golden.ts";

/** A text to run, and what another framework computed for it, where that is known. */
export interface AccuracyText {
  /** Where it comes from, for people. */
  readonly name: string;
  /** The public ones first. */
  readonly ids: readonly number[];
  /** How many ids everybody may know. */
  readonly prefixLength: number;
  /** Greedy continuation; null: unknown. */
  readonly greedy: readonly number[] | null;
  /** I -> rows after block I, [N, d]; a decoder's last ones have had the final norm. */
  readonly hidden: ReadonlyMap<number, Float32Array>;
}

/**
 * The prompts of a golden file (`verify`'s format) and the lines of text files, `\n` written out; `chat`: these through the model's chat
 * template, `publicPrefix` as in a run config (undefined without a template: none). Throws Error where there are none.
 */
export async function accuracyTexts(
  modelPath: string,
  {
    golden,
    prompts = [],
    most,
    chat = false,
    publicPrefix,
  }: {
    readonly golden?: string;
    readonly prompts?: readonly string[];
    readonly most: number;
    readonly chat?: boolean;
    readonly publicPrefix?: string;
  },
): Promise<AccuracyText[]> {
  const texts: AccuracyText[] = [];
  if (golden !== undefined)
    for (const { prefix, ids, greedy, hidden } of await readGolden(golden))
      texts.push({ name: `golden ${prefix}`, ids, prefixLength: 0, greedy, hidden });
  const tokenizer = prompts.length === 0 ? null : await openTokenizer(modelPath);
  for (const file of prompts) {
    const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
    for (const [at, line] of lines.slice(0, most).entries()) {
      const prompt = { text: line.replaceAll("\\n", "\n"), chat };
      const known = await encodePrompt(tokenizer!, prompt, publicPrefix, warn);
      texts.push({
        name: `${path.basename(file)}, line ${at + 1}`,
        ids: [...known.publicPrefix, ...known.secret],
        prefixLength: known.publicPrefix.length,
        greedy: null,
        hidden: new Map(),
      });
    }
  }
  if (texts.length === 0) throw new Error("texts: expected --golden or --prompts, got neither, or empty files");
  return texts;
}
