/** A source file taken apart: what its comments say, and the code that is left. */

export interface Comment {
  /** From 1: where it begins. */
  readonly line: number;
  /** Without its marks, lines joined by spaces. */
  readonly text: string;
}

export interface SourceParts {
  readonly comments: readonly Comment[];
  /** The file with its comments blanked; strings stay. */
  readonly code: string;
}

/** After these a slash begins a regular expression, after anything else it divides. */
const BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>\n]|\b(?:return|typeof|case|of|in|yield|await))\s*$/;
/** What a scan stops at: comments, strings, templates and slashes. */
const TYPESCRIPT = /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`|\/|[{}]/g;
const PYTHON = /"""[^]*?"""|#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/y;
const TEMPLATE_PART = /(?:\\[^]|\$(?!\{)|[^\\`$])*(`|\$\{)/y;

/** Takes a file of TypeScript, JavaScript, Python or shell apart; any other has no parts. */
export function sourceParts(file: string, text: string): SourceParts {
  if (/\.(ts|mjs)$/.test(file)) return parts(text, typescriptComments(text));
  if (/\.(py|sh)$|^\.ci\//.test(file)) return parts(text, pythonComments(text));
  return { comments: [], code: "" };
}

type Span = readonly [from: number, to: number];

function typescriptComments(text: string): Span[] {
  const spans: Span[] = [];
  /** Of each template that is open: braces open inside its present `${`. */
  const templates: number[] = [];
  const skipTemplate = (from: number): number => {
    TEMPLATE_PART.lastIndex = from;
    const end = TEMPLATE_PART.exec(text);
    if (end === null) return text.length;
    if (end[1] === "${") templates.push(0);
    return TEMPLATE_PART.lastIndex;
  };
  for (let at = 0; ;) {
    TYPESCRIPT.lastIndex = at;
    const found = TYPESCRIPT.exec(text);
    if (found === null) return spans;
    const [token] = found;
    at = TYPESCRIPT.lastIndex;
    if (token.startsWith("/*") || token.startsWith("//")) spans.push([found.index, at]);
    else if (token === "`") at = skipTemplate(at);
    else if (token === "{" && templates.length > 0) templates[templates.length - 1]++;
    else if (token === "}" && templates.length > 0) {
      if (templates[templates.length - 1] > 0) templates[templates.length - 1]--;
      else {
        templates.pop();
        at = skipTemplate(at);
      }
    } else if (token === "/" && BEFORE_REGEX.test(text.slice(Math.max(0, found.index - 40), found.index))) {
      REGEX.lastIndex = found.index;
      if (REGEX.test(text)) at = REGEX.lastIndex;
    }
  }
}

function pythonComments(text: string): Span[] {
  return [...text.matchAll(PYTHON)]
    .filter(([token]) => token.startsWith('"""') || token.startsWith("#"))
    .map(({ 0: token, index }) => [index, index + token.length]);
}

function parts(text: string, spans: readonly Span[]): SourceParts {
  let [code, at] = ["", 0];
  for (const [from, to] of spans) {
    code += `${text.slice(at, from)} `;
    at = to;
  }
  code += text.slice(at);
  return { comments: joined(text, spans), code };
}

/** Lines of `//` or `#` that follow one another are one comment. */
function joined(text: string, spans: readonly Span[]): Comment[] {
  const runs: [from: number, to: number][] = [];
  for (const [from, to] of spans) {
    const last = runs.at(-1);
    const isLine = /^(\/\/|#)/.test(text.slice(from, from + 2));
    if (last !== undefined && isLine && /^\n[ \t]*$/.test(text.slice(last[1], from))) last[1] = to;
    else runs.push([from, to]);
  }
  return runs.map(([from, to]) => ({
    line: text.slice(0, from).split("\n").length,
    text: text
      .slice(from, to)
      .replace(/^(\/\*+|""")|(\*+\/|""")$/g, "")
      .split("\n")
      .map((line) => line.replace(/^\s*(\*+(?=\s|$)|\/\/+|#+)?\s*/, "").trimEnd())
      .join(" ")
      .trim(),
  }));
}
