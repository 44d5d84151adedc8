/** What the program itself says of what is hidden: texts of its sources that make a claim, each with the comment of what it rests on. */
import { claimsIn } from "./claim-words.ts";

/** A text of a source, as a page's unit: the anchor is the comment right above it, or at the end of its line. */
export interface SourceWords {
  readonly line: number;
  readonly text: string;
  readonly anchors: readonly string[];
}

const LITERAL = /"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g;
const COMMENT = /\/\/ *(.*)$/;

/** The texts of a source that make a claim; imports and comments are none. */
export function sourceWords(source: string): SourceWords[] {
  const lines = source.split("\n");
  return lines.flatMap((line, at) => {
    if (/^\s*(?:\/\/|\/?\*|import\b)/.test(line)) return [];
    const text = [...line.matchAll(LITERAL)].map(([, one, other]) => one ?? other).join(" ");
    if (claimsIn(text, false).length === 0) return [];
    return [{ line: at + 1, text, anchors: anchorsAbove(lines, at) }];
  });
}

/** Comment lines right above, joined, and the comment of the line itself. */
function anchorsAbove(lines: readonly string[], at: number): string[] {
  const above: string[] = [];
  for (let line = at - 1; /^\s*\/\/ /.test(lines[line] ?? ""); line--) above.unshift(COMMENT.exec(lines[line])![1]);
  const own = COMMENT.exec(lines[at].replaceAll(LITERAL, '""'))?.[1];
  return [...(above.length > 0 ? [above.join(" ")] : []), ...(own === undefined ? [] : [own])];
}
