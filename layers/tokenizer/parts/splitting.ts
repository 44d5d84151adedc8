import type { CodePoints } from "../unicode/code-points.ts";

/** A stretch [start, end) of a text, in UTF-16 units, and whether a pattern matched it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly matched: boolean;
}

/** Cuts a text into stretches that cover it in order; a match may be empty. */
export type Pattern = (text: string) => Stretch[];

/** What becomes of matches, by the names of tokenizer.json. */
export type SplitBehavior = "Removed" | "Isolated" | "Contiguous" | "MergedWithPrevious" | "MergedWithNext";

/** Each character of a set is a match of its own. */
export function characterPattern(set: CodePoints): Pattern {
  return (text) => {
    const matches: [number, number][] = [];
    let at = 0;
    for (const character of text) {
      const end = at + character.length;
      if (set.has(character.codePointAt(0)!)) matches.push([at, end]);
      at = end;
    }
    return stretches(text, matches);
  };
}

/** A text as it stands, from left to right without overlap. @param literal not empty. */
export function literalPattern(literal: string): Pattern {
  return (text) => {
    const matches: [number, number][] = [];
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
      matches.push([at, at + literal.length]);
    }
    return stretches(text, matches);
  };
}

/** A regular expression with flags gu; as Oniguruma's iterator, no empty match directly behind another match. */
export function regexPattern(regex: RegExp): Pattern {
  return (text) => {
    const matches: [number, number][] = [];
    let from = 0;
    let last = -1;
    while (from <= text.length) {
      regex.lastIndex = from;
      const match = regex.exec(text);
      if (!match) break;
      const [start, end] = [match.index, match.index + match[0].length];
      if (start === end && end === last) {
        from += (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1;
        continue;
      }
      matches.push([start, end]);
      last = end;
      from = end;
    }
    return stretches(text, matches);
  };
}

/** What `pattern` matches is what the result doesn't. */
export function inverted(pattern: Pattern): Pattern {
  return (text) => pattern(text).map((stretch) => ({ ...stretch, matched: !stretch.matched }));
}

/** The pieces of a text that a pattern and a behaviour make, none of them empty. */
export function splitBy(text: string, pattern: Pattern, behavior: SplitBehavior): string[] {
  const found = pattern(text);
  const pieces = behavior === "MergedWithNext" ? mergeNext(found) : mergePrevious(found, behavior);
  return pieces.filter(({ start, end }) => end > start).map(({ start, end }) => text.slice(start, end));
}

interface Piece {
  start: number;
  end: number;
}

function mergePrevious(found: readonly Stretch[], behavior: Exclude<SplitBehavior, "MergedWithNext">): Piece[] {
  const pieces: Piece[] = [];
  let previous = false;
  for (const { start, end, matched } of found) {
    if (behavior === "Removed") {
      if (!matched) pieces.push({ start, end });
      continue;
    }
    const joins =
      behavior === "Contiguous" ? matched === previous : behavior === "MergedWithPrevious" && matched && !previous;
    const last = pieces.at(-1);
    if (joins && last) last.end = end;
    else pieces.push({ start, end });
    previous = matched;
  }
  return pieces;
}

function mergeNext(found: readonly Stretch[]): Piece[] {
  const pieces: Piece[] = [];
  let previous = false;
  for (const { start, end, matched } of found.toReversed()) {
    const next = pieces.at(-1);
    if (matched && !previous && next) next.start = start;
    else pieces.push({ start, end });
    previous = matched;
  }
  return pieces.reverse();
}

function stretches(text: string, matches: readonly (readonly [start: number, end: number])[]): Stretch[] {
  const found: Stretch[] = [];
  let at = 0;
  for (const [start, end] of matches) {
    if (at !== start) found.push({ start: at, end: start, matched: false });
    found.push({ start, end, matched: true });
    at = end;
  }
  if (at !== text.length) found.push({ start: at, end: text.length, matched: false });
  return found;
}
