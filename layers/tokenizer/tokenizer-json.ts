import type { JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import { exactPreTokenizer } from "./exact-pre-tokenizer.ts";
import { describeIssue, tokenizerSchema } from "./tokenizer-schema.ts";

/** tokenizer.json after checks: what the library needs, and tokens by id. */
export interface TokenizerJson {
  readonly json: JsonObject;
  readonly ids: ReadonlyMap<string, number>;
  /** By id; ids that no token has are holes. */
  readonly tokens: readonly (string | undefined)[];
}

/**
 * Checks a tokenizer.json (or what was built like one) before any of it reaches the library: known parts only, ids bounded and
 * used once, merges of tokens that exist; and writes those parts in which the library differs from the Rust original in a way
 * in which it doesn't.
 * @throws ModelFileError naming the place and what is supported.
 */
export function checkTokenizerJson(value: JsonObject, file: string): TokenizerJson {
  const parsed = tokenizerSchema.safeParse({ ...value, model: withType(value.model) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ModelFileError(file, `tokenizer, ${issue.path.join(".") || "top level"}: ${describeIssue(issue)}`);
  }
  const { model, added_tokens, normalizer, pre_tokenizer, post_processor, decoder } = parsed.data;
  const fault = (text: string): ModelFileError => new ModelFileError(file, `tokenizer, ${text}`);

  const ids = new Map(Object.entries(model.vocab));
  const tokens: (string | undefined)[] = [];
  const place = (token: string, at: number): void => {
    if (tokens[at] !== undefined && tokens[at] !== token) {
      throw fault(`id ${at}: expected one token, got ${printable(tokens[at])} and ${printable(token)}`);
    }
    while (tokens.length < at) tokens.push(undefined);
    tokens[at] = token;
  };
  for (const [token, at] of ids) place(token, at);
  for (const { content, id: at } of added_tokens) {
    const known = ids.get(content);
    if (known !== undefined && known !== at) {
      throw fault(`added token ${printable(content)}: expected its id ${known} of the vocabulary, got ${at}`);
    }
    place(content, at);
    ids.set(content, at);
  }
  if (ids.size === 0) throw fault("vocabulary: expected tokens, got none");
  if (typeof model.unk_token === "string" && !ids.has(model.unk_token)) {
    throw fault(`unk_token: expected a token of the vocabulary, got ${printable(model.unk_token)}`);
  }
  if (model.type === "BPE") checkMerges(model.merges, ids, fault);
  checkSpecials(post_processor, ids, fault);

  return {
    json: {
      model,
      added_tokens,
      normalizer: normalizer ?? null,
      pre_tokenizer: pre_tokenizer ? exactPreTokenizer(pre_tokenizer) : null,
      post_processor: post_processor ?? null,
      decoder: decoder ?? null,
    },
    ids,
    tokens,
  };
}

/** Files of the first years (GPT-2's, BERT's) don't say what kind of model they have; only BPE has merges. */
function withType(model: unknown): unknown {
  if (typeof model !== "object" || model === null || Array.isArray(model) || "type" in model) return model;
  return { ...model, type: "merges" in model ? "BPE" : "WordPiece" };
}

function checkMerges(
  merges: readonly unknown[],
  ids: ReadonlyMap<string, number>,
  fault: (text: string) => Error,
): void {
  for (const [i, merge] of merges.entries()) {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const [left, right, ...more] = Array.isArray(parts) ? (parts as unknown[]) : [];
    if (
      typeof left !== "string" ||
      typeof right !== "string" ||
      more.length > 0 ||
      !ids.has(left) ||
      !ids.has(right) ||
      !ids.has(left + right)
    ) {
      throw fault(`merge ${i}: expected two tokens of the vocabulary whose join is one too, got ${printable(merge)}`);
    }
  }
}

/** The tokens that a post-processor adds must exist: the library would give an id of undefined. */
function checkSpecials(
  part: JsonObject | null | undefined,
  ids: ReadonlyMap<string, number>,
  fault: (text: string) => Error,
): void {
  if (!part) return;
  const names: string[] = [];
  switch (part.type) {
    case "Sequence":
      for (const inner of part.processors as JsonObject[]) checkSpecials(inner, ids, fault);
      break;
    case "TemplateProcessing":
      for (const item of part.single as { SpecialToken?: { id: string } }[]) {
        if (item.SpecialToken) names.push(item.SpecialToken.id);
      }
      break;
    case "BertProcessing":
    case "RobertaProcessing":
      names.push((part.sep as [string, number])[0], (part.cls as [string, number])[0]);
      break;
  }
  for (const name of names) {
    if (!ids.has(name)) throw fault(`post_processor: expected a token of the vocabulary, got ${printable(name)}`);
  }
}
