import { Help } from "commander";

const INDENT = "  ";
const GAP = "  ";

/** Breaks lines at spaces. */
const wrapping = new Help();
wrapping.minWidthToWrap = 1;

/**
 * Lines of a table for a terminal: a head and rows of as many cells, columns padded. Where that is wider than `width`, columns become
 * narrower and their cells take several lines, those first that make the fewest lines more; columns that still find no room follow in
 * another table under it, behind the first column again.
 */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[], width: number): string[] {
  const all = [head, ...rows];
  const columns = head.map((_, column) => new Column(all.map((row) => row[column])));
  const fitting = columns.findIndex((_, last) => last > 1 && widthOf(columns.slice(0, last + 1), "narrowest") > width);
  if (fitting < 0) return tableOf(columns, width);
  const rest = columns.slice(fitting).map(({ cells: [title, ...cells] }) => ({ title, cells }));
  return [
    ...tableOf(columns.slice(0, fitting), width),
    "",
    ...textTable(
      [head[0], ...rest.map(({ title }) => title)],
      rows.map(([first], row) => [first, ...rest.map(({ cells }) => cells[row])]),
      width,
    ),
  ];
}

function tableOf(columns: readonly Column[], width: number): string[] {
  while (widthOf(columns, "width") > width && narrowOne(columns));
  return columns[0].cells.flatMap((_, row) => {
    const cells = columns.map((column) => column.lines[row]);
    const height = Math.max(...cells.map(({ length }) => length));
    return Array.from({ length: height }, (_line, line) =>
      `${INDENT}${cells.map((lines, at) => (lines[line] ?? "").padEnd(columns[at].width)).join(GAP)}`.trimEnd(),
    );
  });
}

const widthOf = (columns: readonly Column[], measure: "width" | "narrowest"): number =>
  columns.reduce((sum, column) => sum + column[measure], INDENT.length + GAP.length * (columns.length - 1));

/** A text broken at spaces into lines of at most `width` characters; a longer word sticks out. */
export const wrap = (text: string, width: number): string[] => wrapping.boxWrap(text, width).split("\n");

/** The cells of a column, from as wide as they are to as narrow as their longest word. */
class Column {
  readonly cells: readonly string[];
  readonly narrowest: number;
  width: number;
  lines: string[][];
  narrower: string[][] | null;

  constructor(cells: readonly string[]) {
    this.cells = cells;
    this.width = Math.max(...cells.map(({ length }) => length));
    this.narrowest = Math.max(...cells.flatMap((cell) => cell.split(" ")).map(({ length }) => length));
    this.lines = cells.map((cell) => [cell]);
    this.narrower = this.#wrapped();
  }

  narrow(): void {
    this.width--;
    this.lines = this.narrower!;
    this.narrower = this.#wrapped();
  }

  #wrapped(): string[][] | null {
    return this.width <= this.narrowest ? null : this.cells.map((cell) => wrap(cell, this.width - 1));
  }
}

/** Takes one character from the column where that makes the fewest lines more, of these from the widest. False where none can give way. */
function narrowOne(columns: readonly Column[]): boolean {
  const linesWith = (narrowed: Column): number => {
    const cells = columns.map((column) => (column === narrowed ? column.narrower! : column.lines));
    return cells[0].reduce((sum, _, row) => sum + Math.max(...cells.map((lines) => lines[row].length)), 0);
  };
  const candidates = columns
    .filter(({ narrower }) => narrower !== null)
    .map((column) => ({ column, lines: linesWith(column) }))
    .sort((a, b) => a.lines - b.lines || b.column.width - a.column.width);
  candidates.at(0)?.column.narrow();
  return candidates.length > 0;
}
