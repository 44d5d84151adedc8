import { CATEGORIES_16 } from "../unicode/categories.ts";
import { CodePoints } from "../unicode/code-points.ts";
import type { PatternText } from "./pattern-text.ts";

const CONTROLS: Readonly<Partial<Record<string, number>>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  f: 0x0c,
  v: 0x0b,
  a: 0x07,
  e: 0x1b,
};
const HEX_DIGITS = CodePoints.ranges([
  [0x30, 0x39],
  [0x41, 0x46],
  [0x61, 0x66],
]);
/** Long names of categories, and properties, without blanks and hyphens; two-letter names are those of Unicode. */
const PROPERTIES: Readonly<Record<string, () => CodePoints>> = {
  any: () => CodePoints.ranges([[0, 0x10ffff]]),
  alphabetic: () => CATEGORIES_16.alphabetic,
  alpha: () => CATEGORIES_16.alphabetic,
  whitespace: () => CATEGORIES_16.whitespace,
  letter: () => CATEGORIES_16.of("L"),
  mark: () => CATEGORIES_16.of("M"),
  number: () => CATEGORIES_16.of("N"),
  punctuation: () => CATEGORIES_16.of("P"),
  symbol: () => CATEGORIES_16.of("S"),
  separator: () => CATEGORIES_16.of("Z"),
  other: () => CATEGORIES_16.of("C"),
};
const BRACKETS: Readonly<Record<string, () => CodePoints>> = {
  alpha: () => CATEGORIES_16.alphabetic,
  digit: () => CATEGORIES_16.of("Nd"),
  alnum: () => CATEGORIES_16.alphabetic.or(CATEGORIES_16.of("Nd")),
  space: () => CATEGORIES_16.whitespace,
  punct: () => CATEGORIES_16.of("P", "S"),
  xdigit: () => HEX_DIGITS,
};

/** One character (its code point), or a set of them. */
export type Escape = number | CodePoints;

/**
 * Reads what follows a backslash where it stands for characters: one (\n, \x{41}, an escaped mark) or a set (\s, \p{L}).
 * @throws SyntaxError for what is not of this list.
 */
export function readEscape(text: PatternText, inClass = false): Escape {
  const property = text.takeMatch(/([pP])\{(\^?)([^}]*)\}/uy);
  if (property) {
    const set = namedProperty(property[3]);
    if (!set) throw text.fault("a property that is supported", JSON.stringify(property[3]));
    return (property[1] === "P") === (property[2] === "^") ? set : set.not();
  }
  const hex = text.takeMatch(/x\{([0-9A-Fa-f]{1,6})\}|x([0-7][0-9A-Fa-f])|u([0-9A-Fa-f]{4})/uy);
  if (hex) {
    const codePoint = parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
    if (codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint <= 0xdfff)) throw text.fault("a code point");
    return codePoint;
  }
  const { next } = text;
  const one =
    shorthand(next, inClass) ?? CONTROLS[next] ?? (/^[^0-9A-Za-z]/u.test(next) ? next.codePointAt(0)! : undefined);
  if (one === undefined) throw text.fault("an escape that is supported");
  text.take();
  return one;
}

/**
 * Reads a class behind its opening bracket: characters, ranges, escapes, POSIX brackets, classes in it, intersections.
 * @throws SyntaxError for others.
 */
export function readClass(text: PatternText, depth = 0): CodePoints {
  if (depth > 8) throw text.fault("at most 8 classes in one another");
  const negative = text.takeIf("^");
  let whole: CodePoints | undefined;
  let set = CodePoints.ranges([]);
  // The character that a range may begin with, or what stands before a hyphen instead.
  let before: number | "range" | "set" | "nothing" = "nothing";
  const add = (more: CodePoints, kind: typeof before): void => {
    set = set.or(more);
    before = kind;
  };
  if (text.takeIf("]")) add(CodePoints.of("]"), 0x5d);
  while (!text.takeIf("]")) {
    if (text.ended) throw text.fault('the "]" of a class');
    if (text.takeIf("&&")) {
      if (before === "nothing") throw text.fault("characters before &&");
      whole = whole ? whole.and(set) : set;
      set = CodePoints.ranges([]);
      before = "nothing";
    } else if (text.next === "[") add(readInner(text, depth), "set");
    else if (text.takeIf("-")) {
      if (text.next === "]" || before === "nothing" || before === "range") add(CodePoints.of("-"), 0x2d);
      else if (before === "set") throw text.fault("a character at the beginning of a range");
      else add(CodePoints.ranges([[before, rangeEnd(text, before)]]), "range");
    } else {
      const one = readOne(text);
      if (typeof one === "number") add(CodePoints.ranges([[one, one]]), one);
      else add(one, "set");
    }
  }
  if (before === "nothing") throw text.fault("a class that isn't empty");
  const all = whole ? whole.and(set) : set;
  return negative ? all.not() : all;
}

function readInner(text: PatternText, depth: number): CodePoints {
  const bracket = text.takeMatch(/\[:(\^?)([a-z]+):\]/uy);
  if (!bracket) {
    text.take();
    return readClass(text, depth + 1);
  }
  if (!Object.hasOwn(BRACKETS, bracket[2]))
    throw text.fault("a POSIX bracket that is supported", JSON.stringify(bracket[2]));
  const set = BRACKETS[bracket[2]]();
  return bracket[1] === "^" ? set.not() : set;
}

function readOne(text: PatternText): Escape {
  if (!text.takeIf("\\")) return text.take().codePointAt(0)!;
  return text.takeIf("b") ? 0x08 : readEscape(text, true);
}

function rangeEnd(text: PatternText, first: number): number {
  if (text.next === "[" || text.ended) throw text.fault("a character at the end of a range");
  const last = readOne(text);
  if (typeof last !== "number" || last < first) throw text.fault("a range that ends with a later character");
  return last;
}

/** \s, \d, \w, \h and what they leave out. */
function shorthand(letter: string, inClass: boolean): CodePoints | undefined {
  switch (letter) {
    case "s":
      return CATEGORIES_16.whitespace;
    case "d":
      return CATEGORIES_16.of("Nd");
    case "w":
      return CATEGORIES_16.onigurumaWord(inClass);
    case "h":
      return HEX_DIGITS;
    case "S":
    case "D":
    case "W":
    case "H":
      return shorthand(letter.toLowerCase(), inClass)!.not();
    default:
      return undefined;
  }
}

/** Oniguruma's names know neither case nor blanks, hyphens and underscores. */
function namedProperty(written: string): CodePoints | undefined {
  const name = written.toLowerCase().replaceAll(/[ _-]/g, "");
  if (Object.hasOwn(PROPERTIES, name)) return PROPERTIES[name]();
  if (/^[a-z]{1,2}$/.test(name)) {
    const set = CATEGORIES_16.of(name[0].toUpperCase() + name.slice(1));
    return set.isEmpty ? undefined : set;
  }
  return CATEGORIES_16.script(name);
}
