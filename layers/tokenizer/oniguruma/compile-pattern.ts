import type { PatternNode } from "./node.ts";

/**
 * A pattern of Oniguruma, parsed, as a RegExp that matches the same: classes become ranges of Unicode 16, so that an engine's own
 * version and its own \s, \w and case folding play no part.
 */
export function compilePattern(node: PatternNode): RegExp {
  return new RegExp(emit(node, { groups: 0 }), "gu");
}

/** `counted.groups` numbers the groups that keep a match. */
function emit(node: PatternNode, counted: { groups: number }): string {
  switch (node.kind) {
    case "set":
      return node.set.source;
    case "sequence":
      return node.items.map((item) => emit(item, counted)).join("");
    case "choice":
      return `(?:${node.options.map((option) => emit(option, counted)).join("|")})`;
    case "place":
      return node.source;
    case "look": {
      const sign = `${node.direction === "behind" ? "<" : ""}${node.negative ? "!" : "="}`;
      return `(?${sign}${emit(node.body, counted)})`;
    }
    case "atomic": {
      const group = ++counted.groups;
      return `(?:(?=(${emit(node.body, counted)}))\\${group})`;
    }
    case "repeat": {
      if (node.mode === "possessive") {
        return emit({ kind: "atomic", body: { ...node, mode: "greedy" } }, counted);
      }
      const body = node.body.kind === "set" ? emit(node.body, counted) : `(?:${emit(node.body, counted)})`;
      const count = `{${node.min},${node.max === Infinity ? "" : node.max}}`;
      return `${body}${count}${node.mode === "lazy" ? "?" : ""}`;
    }
  }
}
