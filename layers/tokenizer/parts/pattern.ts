import { compilePattern } from "../oniguruma/compile-pattern.ts";
import { matchesEmpty, parsePattern } from "../oniguruma/parse-pattern.ts";
import { literalPattern, regexPattern, type Pattern } from "./splitting.ts";

/** A pattern as tokenizer.json writes it: a text that isn't empty, or Oniguruma's. */
export type WrittenPattern = { readonly String: string } | { readonly Regex: string };

/**
 * A pattern that can be applied.
 * @param taking what the pattern must be where it may not match an empty text.
 * @throws SyntaxError for what isn't supported.
 */
export function patternOf(written: WrittenPattern, taking?: string): Pattern {
  if ("String" in written) return literalPattern(written.String);
  const node = parsePattern(written.Regex);
  if (taking !== undefined && matchesEmpty(node))
    throw new SyntaxError(`pattern: expected ${taking}, got ${JSON.stringify(written.Regex)}`);
  return regexPattern(compilePattern(node));
}
