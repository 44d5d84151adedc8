/** A question as one file: what is varied, what is measured, over which prompts. Its answer is records, one a cell. */
import path from "node:path";
import { z } from "zod";
import { readText } from "../../layers/read-text.ts";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";
import { schemaFaults } from "../../protocols/fusion/config/schema-faults.ts";

const setting = z.record(z.string(), z.unknown()).describe("keys of a run config: alpha, merge, placement, ...");

export const network = z.strictObject({
  rttMs: z.number().min(0).describe("round trip between the client and the others"),
  serversRttMs: z.number().min(0).optional().describe("round trip among these (default: as the client's)"),
});
export type Network = z.infer<typeof network>;

export const questionSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(/^[a-z0-9-]+$/, "lower-case words joined by -"),
  extends: z.string().optional().describe("another question's file, relative to this one; keys here go over its keys"),
  question: z.string().min(10).describe("in a sentence, for people"),
  model: z.string().optional().describe("folder or .gguf file; default: the model that comes with weir"),
  workload: z
    .strictObject({
      file: z
        .string()
        .describe("texts, one a line, relative to the question; where too few are long enough, lines are joined"),
      skip: z.int().min(0).default(0).describe("lines passed over before the first"),
      count: z.int().min(1).default(1).describe("prompts"),
      tokens: z
        .union([z.int().min(2), z.array(z.int().min(2)).min(1)])
        .default(64)
        .describe("every text is cut to so many; of a list every one, a cell each"),
      publicTokens: z.int().min(0).default(0).describe("of them, from the first on, that everybody may know"),
      newTokens: z.int().min(1).default(8).describe("tokens that are generated"),
    })
    .describe("prompts"),
  setting: setting.default({}).describe("keys of a run config that all cells have"),
  grid: z.record(z.string(), z.array(z.unknown()).min(1)).default({}).describe("every value with every other"),
  zip: z.array(setting).min(1).default([{}]).describe("keys that go together, a cell an entry (times the grid)"),
  networks: z.array(network).min(1).optional().describe("for measures of time; default: no delay"),
  measures: z
    .array(z.union([z.string(), z.looseObject({ measure: z.string() })]))
    .min(1)
    .describe("names of measures, or objects with the measure's options"),
  repeats: z.int().min(1).default(1).describe("runs of what is timed"),
  seed: z.int().min(0).default(0),
});
export type Question = z.infer<typeof questionSchema>;

/** A question whose `extends` is resolved, and where its files are. */
export interface OpenedQuestion {
  readonly question: Question;
  /** Folder that its files are relative to. */
  readonly folder: string;
}

/** More than anybody needs, fewer than a circle has. */
const MOST_ANCESTORS = 8;

/**
 * Reads a question and what it extends; `over` is laid over it (`overrides.ts`). Throws Error naming the file, the key, what was expected
 * and what came; unknown keys are errors that name the nearest one.
 */
export async function readQuestion(
  file: string,
  over: Readonly<Record<string, unknown>> = {},
): Promise<OpenedQuestion> {
  const { extends: _parent, ...value } = merged(await rawQuestion(file, MOST_ANCESTORS), over);
  const parsed = questionSchema.safeParse(value);
  if (!parsed.success)
    throw new Error(`question ${file}: ${schemaFaults(parsed.error, questionSchema, value, { what: "content" })}`);
  return { question: parsed.data, folder: path.dirname(path.resolve(file)) };
}

async function rawQuestion(file: string, ancestors: number): Promise<Record<string, unknown>> {
  if (ancestors === 0) throw new Error(`question ${file}: expected at most ${MOST_ANCESTORS} extends, got a circle`);
  const text = await readText("question", file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`question ${file}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  if (!isObject(value)) throw new Error(`question ${file}: expected an object, got ${text.trim().slice(0, 40)}`);
  if (typeof value.extends !== "string") return value;
  const parent = path.resolve(path.dirname(file), value.extends);
  const base = await rawQuestion(parent, ancestors - 1);
  return merged(fromFolder(base, path.dirname(parent), path.dirname(path.resolve(file))), value);
}

/** The parent's file of prompts, named from the child's folder. */
function fromFolder(base: Record<string, unknown>, from: string, to: string): Record<string, unknown> {
  const { workload } = base;
  if (!isObject(workload) || typeof workload.file !== "string") return base;
  return { ...base, workload: { ...workload, file: path.relative(to, path.resolve(from, workload.file)) } };
}

/** Objects key by key; lists and all else whole. */
function merged(base: Record<string, unknown>, over: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const under = result[key];
    result[key] = isObject(under) && isObject(value) ? merged(under, value) : value;
  }
  return result;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys that a setting may have. */
export const SETTING_KEYS: readonly string[] = Object.keys(runConfig.shape);
