/** The texts of an experiment: prompts that are attacked, others to calibrate on, public text to train on. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { TrainingText } from "../../lab/attack.ts";
import type { AttackConfig } from "./attack-config.ts";

/** Where the default model's texts are made, and how: they are megabytes, and not in the repository. */
const BUILT = fileURLToPath(new URL("../../../models/recipe/build", import.meta.url));
const HOW_TO_BUILD = "make it in models/recipe: npm install && python data.py";

export interface PromptIds {
  /** [prompts][tokens] */
  readonly attacked: readonly (readonly number[])[];
  readonly calibration: readonly (readonly number[])[];
  /** Of a session: the last tokens come one by one. */
  readonly steps: number;
}

/** Throws Error naming a file that can't be read, or that has too few lines of enough tokens. */
export async function promptIds(
  { prompts }: Pick<AttackConfig, "prompts">,
  folder: string,
  encode: (text: string) => number[],
): Promise<PromptIds> {
  const file = path.resolve(folder, prompts.file);
  const long = (await lines("prompts", file)).map((line) => encode(line)).filter((ids) => ids.length >= prompts.tokens);
  const skip = prompts.skip ?? 0;
  const wanted = skip + prompts.count + prompts.calibration;
  if (long.length < wanted)
    throw new Error(`prompts ${file}: expected ${wanted} texts of ${prompts.tokens} tokens, got ${long.length}`);
  const cut = long.map((ids) => ids.slice(0, prompts.tokens));
  return {
    attacked: cut.slice(skip, skip + prompts.count),
    calibration: prompts.calibration === 0 ? [] : cut.slice(-prompts.calibration),
    steps: prompts.steps ?? 1,
  };
}

/** Public text for probes, in the order of its file. Throws Error naming the file and how to make it. */
export async function trainingText(
  { training }: Pick<AttackConfig, "training">,
  folder: string,
): Promise<TrainingText> {
  const file = path.resolve(folder, training.file);
  const documents: string[] = [];
  let characters = 0;
  for (const line of await lines("training", file)) {
    const { text, source } = documentOf(line);
    if (source !== undefined && training.notSources.includes(source)) continue;
    if (characters >= training.characters) break;
    documents.push(text.slice(0, training.characters - characters));
    characters += text.length;
  }
  return { name: path.basename(file), documents };
}

/** A line is a document of JSON, or text itself. */
function documentOf(line: string): { text: string; source?: string } {
  if (!line.startsWith('{"')) return { text: line };
  try {
    const { text, source } = JSON.parse(line) as { text?: unknown; source?: unknown };
    if (typeof text === "string") return { text, ...(typeof source === "string" ? { source } : {}) };
  } catch {
    // Text that begins as JSON does.
  }
  return { text: line };
}

async function lines(what: string, file: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() !== "");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const got = `${code ?? "an error"}${path.dirname(file) === BUILT ? `; ${HOW_TO_BUILD}` : ""}`;
    throw new Error(`${what} ${file}: expected a file that can be read, got ${got}`, { cause: error });
  }
}
