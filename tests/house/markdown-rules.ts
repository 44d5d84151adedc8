/** Pages that render: tables with a header, links and anchors that lead somewhere. */
import path from "node:path";
import type { Sources } from "./sources.ts";

/** Lines of a page, those of code blocks blanked. */
export function prose(text: string): string[] {
  let fence = false;
  return text.split("\n").map((line) => {
    const isMark = /^\s*```/.test(line);
    if (isMark) fence = !fence;
    return fence || isMark ? "" : line;
  });
}

/** Titles of a page's headings, as they are written. */
export function headingsOf(text: string): string[] {
  return prose(text).flatMap((line) => /^#{1,6} +(.+?)\s*#*$/.exec(line)?.[1] ?? []);
}

/** Anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const title of headingsOf(text)) {
    const plain = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let again = 1; anchors.has(unique); again++) unique = `${anchor}-${again}`;
    anchors.add(unique);
  }
  return anchors;
}

const pagesOf = (sources: Sources): [string, string][] => [...sources].filter(([file]) => file.endsWith(".md"));
const cellsOf = (line: string): number => line.trim().split(/(?<!\\)\|/).length - 2;

/** Runs of table lines that no header opens, that a paragraph runs into, or whose rows have more or fewer cells than the header. */
export function brokenTables(sources: Sources): string[] {
  const faults: string[] = [];
  for (const [file, text] of pagesOf(sources)) {
    const lines = prose(text);
    const isRow = (at: number): boolean => /^\s*\|/.test(lines[at] ?? "");
    for (let at = 0; at < lines.length; at++) {
      if (!isRow(at) || isRow(at - 1)) continue;
      const where = `${file}:${at + 1}`;
      if ((lines[at - 1] ?? "").trim() !== "") faults.push(`${where}: expected an empty line before the table`);
      if (!/^\s*\|(?:\s*:?-+:?\s*\|)+\s*$/.test(lines[at + 1] ?? "")) {
        faults.push(`${where}: expected a table's header and | --- | below it, got rows alone, which don't render`);
        continue;
      }
      for (let row = at + 1; isRow(row); row++)
        if (cellsOf(lines[row]) !== cellsOf(lines[at]))
          faults.push(`${file}:${row + 1}: expected ${cellsOf(lines[at])} cells, got ${cellsOf(lines[row])}`);
    }
  }
  return faults;
}

const LINK = /\]\(([^()\s]+)\)/g;

/** Relative links whose file isn't there, and anchors that no heading of the page makes. */
export function brokenLinks(sources: Sources): string[] {
  const folders = new Set([...sources.keys()].map((file) => path.posix.dirname(file)));
  const faults: string[] = [];
  for (const [file, text] of pagesOf(sources))
    for (const [at, line] of prose(text).entries())
      for (const [, target] of line.matchAll(LINK)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [name, anchor] = target.split("#");
        const to = name === "" ? file : path.posix.join(path.posix.dirname(file), name).replace(/\/$/, "");
        const where = `${file}:${at + 1}: links to ${target}`;
        if (!sources.has(to) && !folders.has(to)) faults.push(`${where}, which is not there`);
        else if (anchor !== undefined && !anchorsOf(sources.get(to) ?? "").has(anchor))
          faults.push(`${where}, of which no heading makes that anchor`);
      }
  return faults;
}
