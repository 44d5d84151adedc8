import type { z } from "zod";
import type { JsonObject } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import { isNormalized, type AddedToken } from "./parts/added-tokens.ts";
import type { NormalizerPart } from "./parts/normalizer.ts";
import type { PostProcessorPart } from "./parts/post-processor.ts";
import type { PreTokenizerPart } from "./parts/pre-tokenizer.ts";
import { describeIssue, tokenizerSchema } from "./tokenizer-schema.ts";

type Parts = z.output<typeof tokenizerSchema>;
type Fault = (text: string) => Error;

/** tokenizer.json after checks: its parts, and tokens by id. */
export interface TokenizerJson {
  readonly parts: Parts;
  readonly ids: ReadonlyMap<string, number>;
  /** By id; ids that no token has are holes. */
  readonly tokens: readonly (string | undefined)[];
}

/**
 * Checks a tokenizer.json (or what was built like one): known parts only, ids bounded and used once, merges of tokens that exist,
 * and nothing that couldn't be done exactly as the Rust original does it.
 * @throws ModelFileError naming the place and what is supported.
 */
export function checkTokenizerJson(value: JsonObject, file: string): TokenizerJson {
  const parsed = tokenizerSchema.safeParse({ ...value, model: withType(value.model) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ModelFileError(file, `tokenizer, ${issue.path.join(".") || "top level"}: ${describeIssue(issue)}`);
  }
  const parts = parsed.data;
  const { model, added_tokens: added, post_processor: post } = parts;
  const fault: Fault = (text) => new ModelFileError(file, `tokenizer, ${text}`);

  const ids = new Map(Object.entries(model.vocab));
  if (typeof model.unk_token === "string" && !ids.has(model.unk_token)) {
    throw fault(`unk_token: expected a token of the vocabulary, got ${printable(model.unk_token)}`);
  }
  if (model.type === "BPE") checkMerges(model.merges, ids, fault);
  const tokens: (string | undefined)[] = [];
  const place = (token: string, at: number): void => {
    if (tokens[at] !== undefined && tokens[at] !== token) {
      throw fault(`id ${at}: expected one token, got ${printable(tokens[at])} and ${printable(token)}`);
    }
    while (tokens.length < at) tokens.push(undefined);
    tokens[at] = token;
  };
  for (const [token, at] of ids) place(token, at);
  checkAdded(added, ids, fault);
  for (const { content, id: at } of added) {
    place(content, at);
    ids.set(content, at);
  }
  if (ids.size === 0) throw fault("vocabulary: expected tokens, got none");
  if (post) checkAround(post, ids, tokens, fault);
  checkFirst(parts, fault);
  return { parts, ids, tokens };
}

/** Files of the first years (GPT-2's, BERT's) don't say what kind of model they have; only BPE has merges. */
function withType(model: unknown): unknown {
  if (typeof model !== "object" || model === null || Array.isArray(model) || "type" in model) return model;
  return { ...model, type: "merges" in model ? "BPE" : "WordPiece" };
}

function checkMerges(merges: readonly unknown[], ids: ReadonlyMap<string, number>, fault: Fault): void {
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

/** The original numbers added tokens itself, whatever the file says: those of the vocabulary as there, the others in order behind it. */
function checkAdded(added: readonly AddedToken[], ids: ReadonlyMap<string, number>, fault: Fault): void {
  const seen = new Set<string>();
  let next = ids.size;
  for (const { content, id } of added) {
    if (seen.has(content)) throw fault(`added token ${printable(content)}: expected it once, got it again`);
    seen.add(content);
    const known = ids.get(content);
    if (known !== undefined && known !== id) {
      throw fault(`added token ${printable(content)}: expected its id ${known} of the vocabulary, got ${id}`);
    }
    if (known === undefined && id !== next++) {
      throw fault(
        `added token ${printable(content)}: expected the next id behind the vocabulary, ${next - 1}, got ${id}`,
      );
    }
  }
}

/** What a post-processor adds must be known, and one part alone may add it: the original takes what is added for further texts. */
function checkAround(
  part: PostProcessorPart,
  ids: ReadonlyMap<string, number>,
  tokens: readonly (string | undefined)[],
  fault: Fault,
): void {
  const adding = flatten(part).filter(({ type }) => type !== "ByteLevel");
  if (adding.length > 1)
    throw fault(`post_processor: expected one part that adds tokens, got ${adding.map(({ type }) => type).join(", ")}`);
  for (const one of adding) {
    if (one.type === "BertProcessing" || one.type === "RobertaProcessing") {
      for (const [name, id] of [one.sep, one.cls]) {
        if (!ids.has(name)) throw fault(`post_processor: expected a token of the vocabulary, got ${printable(name)}`);
        if (tokens[id] === undefined) throw fault(`post_processor: expected an id of the vocabulary, got ${id}`);
      }
    }
    if (one.type !== "TemplateProcessing") continue;
    for (const item of one.single) {
      if ("Sequence" in item) {
        if (item.Sequence.id === "B") throw fault('post_processor: expected "A" alone in single, got "B"');
        continue;
      }
      const { id: name } = item.SpecialToken;
      if (!Object.hasOwn(one.special_tokens, name)) {
        const expected = ids.has(name) ? "an entry of special_tokens for every token" : "a token of the vocabulary";
        throw fault(`post_processor: expected ${expected}, got ${ids.has(name) ? "none for " : ""}${printable(name)}`);
      }
      for (const id of one.special_tokens[name].ids) {
        if (tokens[id] === undefined) throw fault(`post_processor: expected an id of the vocabulary, got ${id}`);
      }
    }
  }
}

const flatten = (part: PostProcessorPart): PostProcessorPart[] =>
  part.type === "Sequence" ? part.processors.flatMap(flatten) : [part];

/**
 * Which piece is a text's first hangs on how the original aligns normalised text with what was given, and on what is cut before;
 * it is known here where the beginning stays the beginning, and what is behind an added token stays behind it.
 */
function checkFirst({ normalizer, pre_tokenizer: preTokenizer, added_tokens: added }: Parts, fault: Fault): void {
  const steps = preTokenizer ? stepsOf(preTokenizer) : [];
  const at = steps.findLastIndex((step) => step.type === "Metaspace" && step.prepend_scheme === "first");
  if (at < 0) return;
  if (at > 0) throw fault(`pre_tokenizer: expected Metaspace with "first" before any other, got ${steps[0].type}`);
  if (!normalizer || keepsPlaces(normalizer)) return;
  if (keepsBeginning(normalizer) && !added.some(isNormalized)) return;
  throw fault(`pre_tokenizer: expected "always" or "never" behind this normalizer (${normalizer.type}), got "first"`);
}

const stepsOf = (part: PreTokenizerPart): PreTokenizerPart[] =>
  part.type === "Sequence" ? part.pretokenizers.flatMap(stepsOf) : [part];

/** A character for a character. */
function keepsPlaces(part: NormalizerPart): boolean {
  if (part.type === "Sequence") return part.normalizers.every(keepsPlaces);
  return part.type === "Replace" && "String" in part.pattern && isOne(part.pattern.String) && isOne(part.content);
}

/** Nothing is taken away where a text begins. */
function keepsBeginning(part: NormalizerPart): boolean {
  if (part.type === "Sequence") return part.normalizers.every(keepsBeginning);
  if (part.type === "Replace") return "String" in part.pattern && isOne(part.pattern.String) && part.content !== "";
  return part.type === "Prepend" || part.type === "Lowercase" || /^NFK?[CD]$/.test(part.type);
}

const isOne = (text: string): boolean => /^[^]$/u.test(text);
