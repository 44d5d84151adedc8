/** A page in units of text, each with the anchors that stand behind it: what the claims test reads. */

/** A piece of a page: a row of a table, or text up to and with the comments behind it. */
export interface PageUnit {
  readonly line: number;
  readonly text: string;
  /** Insides of the comments behind the text, or of the one above a table. */
  readonly anchors: readonly string[];
  /** Of a row: its cells by the table's header. */
  readonly cells: ReadonlyMap<string, string> | null;
  /** Of a row: anchors of its whole table. */
  readonly ofTable: readonly string[];
  /** Is it a row beside others that have comments of their own? */
  readonly isAmongAnchored: boolean;
}

const COMMENT = /<!--([^]*?)-->/g;
const isRow = (line: string | undefined): boolean => line !== undefined && /^\s*\|/.test(line);
/** A line that begins a block of its own. */
const OPENS = /^\s*(?:[-*] |\d+\. |#{1,6} )/;

/** The units of a page, without code blocks and headings. */
export function pageUnits(page: string): PageUnit[] {
  const lines = withoutCode(page);
  const units: PageUnit[] = [];
  let ofTable: string[] = [];
  for (let at = 0; at < lines.length;) {
    if (lines[at].trim() === "") {
      at++;
      continue;
    }
    if (isRow(lines[at])) {
      const from = at;
      while (isRow(lines[at])) at++;
      units.push(...tableUnits(lines.slice(from, at), from, ofTable));
      ofTable = [];
      continue;
    }
    const from = at++;
    while (at < lines.length && lines[at].trim() !== "" && !isRow(lines[at]) && !OPENS.test(lines[at])) at++;
    const block = lines.slice(from, at).join("\n");
    ofTable = commentsOf(block);
    if (block.replaceAll(COMMENT, "").trim() === "") continue;
    ofTable = [];
    if (!/^\s*#/.test(block)) units.push(...textUnits(block, from));
  }
  return units;
}

function withoutCode(page: string): string[] {
  let fence = false;
  return page.split("\n").map((line) => {
    const isMark = /^\s*```/.test(line);
    if (isMark) fence = !fence;
    return fence || isMark ? "" : line;
  });
}

const commentsOf = (text: string): string[] => [...text.matchAll(COMMENT)].map(([, inside]) => inside.trim());

function textUnits(block: string, from: number): PageUnit[] {
  const units: PageUnit[] = [];
  let line = from + 1;
  for (const [piece, text] of block.matchAll(/([^]+?)(?:(?:<!--[^]*?-->\s*)+|$)/g)) {
    if (text.trim() !== "")
      units.push({
        line,
        text,
        anchors: commentsOf(piece.slice(text.length)),
        cells: null,
        ofTable: [],
        isAmongAnchored: false,
      });
    line += piece.split("\n").length - 1;
  }
  return units;
}

function tableUnits(lines: readonly string[], from: number, ofTable: readonly string[]): PageUnit[] {
  const [head, , ...rows] = lines.map((line) =>
    line
      .replaceAll(COMMENT, "")
      .trim()
      .split(/(?<!\\)\|/)
      .slice(1, -1),
  );
  return rows.map((row, at) => ({
    line: from + 3 + at,
    text: row.join(" | "),
    anchors: commentsOf(lines[at + 2]),
    cells: new Map(row.map((cell, column) => [head[column].trim(), cell.trim()])),
    ofTable,
    isAmongAnchored: lines.slice(2).some((line) => commentsOf(line).length > 0),
  }));
}
