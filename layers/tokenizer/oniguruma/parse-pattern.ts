import { CATEGORIES_16 } from "../unicode/categories.ts";
import { CodePoints } from "../unicode/code-points.ts";
import { readClass, readEscape } from "./character-set.ts";
import type { PatternNode } from "./node.ts";
import { PatternText } from "./pattern-text.ts";

const MAX_DEPTH = 32;
const MAX_REPEAT = 1000;
const LINE_FEED = CodePoints.of("\n");
/** Characters beside the two cases that a letter means where case is ignored: long s, kelvin. */
const FOLDED: Readonly<Record<string, string>> = { s: "ſ", k: "K" };
/** Letters that one character stands for where case is ignored ("ß" for "ss", ligatures), which isn't done here. */
const JOINED = new Set(["ss", "st", "ff", "fi", "fl"]);
const BACK = "(?<![^])";
const FRONT = "(?![^])";

/**
 * Reads a pattern of Oniguruma in its Ruby syntax, in which tokenizer.json has them: what models' patterns use of it.
 * @throws SyntaxError naming the place and what isn't supported.
 */
export function parsePattern(pattern: string): PatternNode {
  const text = new PatternText(pattern);
  const node = readChoice(text, false, 0);
  if (!text.ended) throw text.fault('the end or "|"');
  return node;
}

/** Whether a part can match without taking a character. */
export function matchesEmpty(node: PatternNode): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "sequence":
      return node.items.every(matchesEmpty);
    case "choice":
      return node.options.some(matchesEmpty);
    case "repeat":
      return node.min === 0 || matchesEmpty(node.body);
    case "atomic":
      return matchesEmpty(node.body);
    default:
      return true;
  }
}

function readChoice(text: PatternText, fold: boolean, depth: number): PatternNode {
  if (depth > MAX_DEPTH) throw text.fault(`at most ${MAX_DEPTH} groups in one another`);
  const options = [readSequence(text, fold, depth)];
  while (text.takeIf("|")) options.push(readSequence(text, fold, depth));
  return options.length === 1 ? options[0] : { kind: "choice", options };
}

function readSequence(text: PatternText, fold: boolean, depth: number): PatternNode {
  const items: PatternNode[] = [];
  while (!text.ended && text.next !== "|" && text.next !== ")") {
    items.push(readRepeats(text, readAtom(text, fold, depth)));
  }
  if (fold) demandApart(text, items);
  return items.length === 1 ? items[0] : { kind: "sequence", items };
}

/** Of letters that one character may stand for, neighbours are refused. */
function demandApart(text: PatternText, items: readonly PatternNode[]): void {
  for (let i = 1; i < items.length; i++) {
    for (const left of lettersAt(items[i - 1], -1))
      for (const right of lettersAt(items[i], 0))
        if (JOINED.has(left + right))
          throw text.fault("no letters that one character may stand for where case is ignored", left + right);
  }
}

/** The letters of a text that a part begins (0) or ends (-1) with. */
function lettersAt(node: PatternNode, end: 0 | -1): string[] {
  if (node.kind === "set") return node.letter === undefined ? [] : [node.letter];
  if (node.kind === "choice") return node.options.flatMap((option) => lettersAt(option, end));
  const item = node.kind === "sequence" ? node.items.at(end) : undefined;
  return item ? lettersAt(item, end) : [];
}

function readAtom(text: PatternText, fold: boolean, depth: number): PatternNode {
  if (text.next === "(") return readGroup(text, fold, depth);
  if (/[*+?]/.test(text.next)) throw text.fault("something to repeat");
  if (text.takeIf("[")) return withoutCase(text, readClass(text), fold);
  if (text.takeIf(".")) return { kind: "set", set: LINE_FEED.not() };
  if (text.takeIf("^")) return { kind: "place", source: `(?:${BACK}|(?<=\\n)(?=[^]))` };
  if (text.takeIf("$")) return { kind: "place", source: `(?:(?=\\n)|${FRONT})` };
  if (!text.takeIf("\\")) return character(text, text.take().codePointAt(0)!, fold);
  const place = text.takeMatch(/[AzZbB]/y);
  if (place) return { kind: "place", source: placeOf(place[0]) };
  const escape = readEscape(text);
  return typeof escape === "number" ? character(text, escape, fold) : withoutCase(text, escape, fold);
}

function placeOf(letter: string): string {
  const word = CATEGORIES_16.onigurumaWord(false).source;
  switch (letter) {
    case "A":
      return BACK;
    case "z":
      return FRONT;
    case "Z":
      return `(?=\\n?${FRONT})`;
    case "b":
      return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
    default:
      return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`;
  }
}

const GROUPS: readonly (readonly [opening: string, wrap: (body: PatternNode) => PatternNode])[] = [
  ["(?:", (body) => body],
  ["(?i:", (body) => body],
  ["(?>", (body) => ({ kind: "atomic", body })],
  ["(?=", (body) => ({ kind: "look", direction: "ahead", negative: false, body })],
  ["(?!", (body) => ({ kind: "look", direction: "ahead", negative: true, body })],
  ["(?<=", (body) => ({ kind: "look", direction: "behind", negative: false, body })],
  ["(?<!", (body) => ({ kind: "look", direction: "behind", negative: true, body })],
];

function readGroup(text: PatternText, fold: boolean, depth: number): PatternNode {
  const found = GROUPS.find(([opening]) => text.takeIf(opening));
  if (!found) {
    text.take();
    if (text.next === "?") throw text.fault("a kind of group that is supported");
  }
  const [opening, wrap] = found ?? GROUPS[0];
  const body = readChoice(text, fold || opening === "(?i:", depth + 1);
  if (!text.takeIf(")")) throw text.fault('the ")" of a group');
  if (opening.startsWith("(?<") && !isPlain(body)) throw text.fault("characters and their alternatives behind a place");
  return wrap(body);
}

/** No repetitions and no groups but alternatives: what is before a place is looked at in one way only. */
function isPlain(node: PatternNode): boolean {
  if (node.kind === "sequence") return node.items.every(isPlain);
  if (node.kind === "choice") return node.options.every(isPlain);
  return node.kind === "set";
}

/** `+` behind `*`, `+` and `?` keeps what was taken; behind {n,m} it repeats once more. */
function readRepeats(text: PatternText, atom: PatternNode): PatternNode {
  let node = atom;
  for (;;) {
    const simple = text.takeMatch(/([*+?])([+?]?)/y);
    const counted = simple ? null : text.takeMatch(/\{(?:(\d{1,4})(,?)(\d{0,4})|,(\d{1,4}))\}(\??)/y);
    if (!simple && !counted) return node;
    if (node.kind === "look" || node.kind === "place" || (node.kind !== "set" && matchesEmpty(node)))
      throw text.fault("something to repeat that isn't empty", "what can be");
    if (simple) {
      const [, sign, more] = simple;
      const mode = more === "" ? "greedy" : more === "?" ? "lazy" : "possessive";
      node = { kind: "repeat", body: node, min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Infinity, mode };
      continue;
    }
    const [, low, comma, high, only, lazy] = counted!;
    const min = low === undefined ? 0 : Number(low);
    const max = only !== undefined ? Number(only) : comma === "" ? min : high === "" ? Infinity : Number(high);
    if (lazy !== "" && comma === "" && only === undefined) throw text.fault('no "?" behind {n}', "one");
    if (max < min || min > MAX_REPEAT || (max > MAX_REPEAT && max !== Infinity))
      throw text.fault(`counts of at most ${MAX_REPEAT}, the smaller first`, counted![0]);
    node = { kind: "repeat", body: node, min, max, mode: lazy === "" ? "greedy" : "lazy" };
  }
}

function character(text: PatternText, codePoint: number, fold: boolean): PatternNode {
  const letter = String.fromCodePoint(codePoint);
  if (!fold || !/[A-Za-z]/.test(letter)) return withoutCase(text, CodePoints.of(letter), fold);
  const small = letter.toLowerCase();
  return { ...withoutCase(text, CodePoints.of(letter), fold), letter: small };
}

/** The set itself or, where case is ignored, its letters in both cases, which is known here for ASCII alone. */
function withoutCase(text: PatternText, set: CodePoints, fold: boolean): { kind: "set"; set: CodePoints } {
  if (!fold) return { kind: "set", set };
  let all = set;
  for (const small of "abcdefghijklmnopqrstuvwxyz") {
    const capital = small.toUpperCase();
    if (set.has(small.codePointAt(0)!) || set.has(capital.codePointAt(0)!))
      all = all.or(CodePoints.of(`${small}${capital}${FOLDED[small] ?? ""}`));
  }
  if (!set.and(CodePoints.ranges([[0x80, 0x10ffff]])).isEmpty)
    throw text.fault("ASCII characters only where case is ignored", "others");
  return { kind: "set", set: all };
}
