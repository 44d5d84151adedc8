import { stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { readJsonFile, type JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import { openModelFile } from "../weights/byte-range.ts";
import type { TokenizerFacts } from "./create-tokenizer.ts";

/** The largest tokenizer.json of today (256 000 tokens) has 34 MB. */
const MAX_TOKENIZER_BYTES = 64 << 20;
const MAX_CONFIG_BYTES = 4 << 20;
const MAX_TEMPLATE_BYTES = 1 << 20;

const token = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish();
const tokenizerConfig = z.looseObject({
  bos_token: token,
  eos_token: token,
  unk_token: token,
  pad_token: token,
  chat_template: z.union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))]).nullish(),
});
const ids = z.union([z.int().min(0), z.array(z.int().min(0))]).nullish();
const endings = z.looseObject({ eos_token_id: ids });

/**
 * Reads what a folder says about its tokenizer: tokenizer.json, tokenizer_config.json, chat_template.jinja, and the ids that end a
 * generation from generation_config.json and config.json. All but the first may be missing.
 * @throws ModelFileError naming the file and the fault.
 */
export async function readFolderTokenizer(
  folder: string,
): Promise<{ tokenizerJson: JsonObject; facts: TokenizerFacts }> {
  const file = path.resolve(folder, "tokenizer.json");
  const tokenizerJson = await readJsonFile(file, MAX_TOKENIZER_BYTES);
  const config = await readChecked(path.resolve(folder, "tokenizer_config.json"), tokenizerConfig);
  const generation = await readChecked(path.resolve(folder, "generation_config.json"), endings);
  const model = await readChecked(path.resolve(folder, "config.json"), endings);

  const specials: Record<string, string> = {};
  for (const name of ["bos_token", "eos_token", "unk_token", "pad_token"] as const) {
    const text = config[name];
    if (typeof text === "string") specials[name] = text;
  }
  const stops = new Set([generation.eos_token_id ?? [], model.eos_token_id ?? []].flat());
  const end = idOf(tokenizerJson, specials.eos_token);
  if (end !== undefined) stops.add(end);
  return {
    tokenizerJson,
    facts: {
      file,
      bosToken: specials.bos_token ?? null,
      stopTokens: [...stops],
      chatTemplate:
        (await readTemplateFile(path.resolve(folder, "chat_template.jinja"))) ??
        defaultTemplate(config.chat_template, folder),
      specials,
    },
  };
}

/** A list of templates is by name; a conversation without tools takes the default one. */
function defaultTemplate(template: z.output<typeof tokenizerConfig>["chat_template"], folder: string): string | null {
  if (template === null || template === undefined || typeof template === "string") return template ?? null;
  const found = template.find(({ name }) => name === "default");
  if (found) return found.template;
  const names = template.map(({ name }) => printable(name)).join(", ");
  throw new ModelFileError(
    path.resolve(folder, "tokenizer_config.json"),
    `chat_template: expected one named "default" among several, got ${names || "an empty list"}`,
  );
}

/** The id of a token by its text, as tokenizer.json has it; undefined where it hasn't (the file is checked later). */
function idOf(tokenizerJson: JsonObject, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { added_tokens: added, model } = tokenizerJson;
  const among: unknown[] = Array.isArray(added) ? added : [];
  const found = among.find((entry) => (entry as { content?: unknown } | null)?.content === text) as
    | { id?: unknown }
    | undefined;
  const vocab = (model as { vocab?: Record<string, unknown> } | null | undefined)?.vocab;
  const id = found?.id ?? (typeof vocab === "object" && Object.hasOwn(vocab, text) ? vocab[text] : undefined);
  return typeof id === "number" ? id : undefined;
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

async function readChecked<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  const value = (await exists(file)) ? await readJsonFile(file, MAX_CONFIG_BYTES) : {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ModelFileError(file, `${issue.path.join(".")}: ${issue.message}`);
}

async function readTemplateFile(file: string): Promise<string | null> {
  if (!(await exists(file))) return null;
  const opened = await openModelFile(file);
  try {
    if (opened.size > MAX_TEMPLATE_BYTES) {
      throw new ModelFileError(file, `size: expected at most ${MAX_TEMPLATE_BYTES} bytes, got ${opened.size}`);
    }
    return new TextDecoder().decode(await opened.read(0, opened.size));
  } finally {
    await opened.close();
  }
}
