/** What comments and pages cite is there: pages with their headings and gates, files, names of the code. */
import path from "node:path";
import { headingsOf, prose } from "./markdown-rules.ts";
import { sourceParts } from "./source-parts.ts";
import type { Sources } from "./sources.ts";

/** A passage that a reader follows citations in. */
interface Passage {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Comments of code, and the prose of pages line by line. */
function* passages(sources: Sources): Generator<Passage> {
  for (const [file, text] of sources)
    if (file.endsWith(".md")) for (const [at, line] of prose(text).entries()) yield { file, line: at + 1, text: line };
    else for (const comment of sourceParts(file, text).comments) yield { file, ...comment };
}

const PAGE = /(?<![\w./-])(?:\.{1,2}\/)*([\w./-]*\w\.md)\b[)`]*(?:#[\w-]+\))?(.{0,120})/g;
const CITED = /^,? \(?"([^"]+)"|^,? \(?(gate|section)s? (\d+(?:(?:, | and |, and | to )\d+)*)/;

/** Pages that are cited and aren't there, and headings, sections and gates that the cited page doesn't have. */
export function missingCitations(sources: Sources): string[] {
  const faults: string[] = [];
  for (const { file, line, text } of passages(sources))
    for (const [, page, after] of text.replaceAll(/https?:\/\/\S+/g, "").matchAll(PAGE)) {
      const at = `${file}:${line}: cites ${page}`;
      const pages = [...sources.keys()].filter((name) => name === page || name.endsWith(`/${page}`));
      if (pages.length === 0) faults.push(`${at}, which is not there`);
      const [, heading, kind, numbers] = CITED.exec(after) ?? [];
      if (pages.length === 0 || (heading === undefined && numbers === undefined)) continue;
      const headings = pages.flatMap((name) => headingsOf(sources.get(name)!));
      const wanted =
        heading === undefined
          ? numbers.match(/\d+/g)!.map((number) => (kind === "gate" ? `Gate ${number}: ` : `${number}. `))
          : [heading];
      for (const start of wanted)
        if (!headings.some((title) => (heading === undefined ? title.startsWith(start) : isTitle(title, heading))))
          faults.push(`${at}, heading ${start.trim()}, which it doesn't have`);
    }
  return faults;
}

/** A heading is cited as it is written, or without its number. */
const isTitle = (title: string, cited: string): boolean =>
  title.replace(/^(Gate \d+: |\d+\. )/, "") === cited || title === cited;

/** Code that names a page, in a text for its users: the page is there. */
export function missingPages(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    file.startsWith("tests/")
      ? []
      : [...sourceParts(file, text).code.matchAll(/(?<![\w./-])(?:\.{1,2}\/)*([\w./-]*\w\.md)\b/g)]
          .map(([, page]) => page)
          .filter((page) => ![...sources.keys()].some((name) => name === page || name.endsWith(`/${page}`)))
          .map((page) => `${file}: names ${page}, which is not there`),
  );
}

/** Files of other programs that comments name. */
const FOREIGN = new Set(["convert_hf_to_gguf.py", "constants.py"]);
const FILE = /(?<![\w./*-])((?:\.{1,2}\/)*)((?:[\w-]+\/)*(?:[\w-]+\.)*[\w-]+\.(?:ts|mjs|py))\b/g;

/** A step of docs/ADDING.md that makes a file. */
const NEW_FILE = /^In `([^`]+)`, a new file:$/gm;

/**
 * Files that are named and aren't there. A path is seen from the checkout, or one that begins with dots from the file; a bare name is a file of the
 * same room (protocols/smpc, tests/layers, experiments/attacks), one that the file imports, or a neighbour of a path that stands before it.
 * A page may name what its own steps make.
 */
export function missingFiles(sources: Sources): string[] {
  const faults: string[] = [];
  for (const { file, line, text } of passages(sources)) {
    const isPage = file.endsWith(".md");
    const imported = sources.get(file)!.matchAll(/["']\.{1,2}\/[^"']*?([\w.-]+\.(?:ts|mjs))["']/g);
    const near = new Set([...imported].map(([, name]) => name));
    const folders: string[] = [];
    const made = [...sources.get(file)!.matchAll(NEW_FILE)].map(([, name]) => name);
    for (const [, dots, name] of text.matchAll(FILE)) {
      if (FOREIGN.has(name) || /\bNAME\b/.test(name)) continue;
      if (isPage && made.some((each) => each === name || each.endsWith(`/${name}`))) continue;
      const found = dots === "" ? pathOf(name) : inside(path.posix.join(path.posix.dirname(file), dots, name));
      if (found === null) faults.push(`${file}:${line}: names ${dots}${name}, which is not there`);
      else folders.push(path.posix.dirname(found));
    }
    function pathOf(name: string): string | null {
      const all = [...sources.keys()].filter((each) => each === name || each.endsWith(`/${name}`));
      if (name.includes("/")) return all[0] ?? null;
      const room = path.posix.dirname(file).split("/").slice(0, 2).join("/");
      const close = all.filter(
        (each) => isPage || near.has(name) || each.startsWith(`${room}/`) || folders.includes(path.posix.dirname(each)),
      );
      return close[0] ?? (path.posix.dirname(file) === "." ? (all[0] ?? null) : null);
    }
    function inside(name: string): string | null {
      return sources.has(name) ? name : null;
    }
  }
  return faults;
}

const FOLDER =
  /(?<![\w./*-])((?:shares|layers|protocols|experiments|cli|tests|proofs|docs)\/[\w.-]+(?:\/[\w.-]+)*)(?![\w*/])/g;
/** Paths that a step of a recipe makes, and placeholders. */
const MADE = /\b(NAME|build)\b/;

/** Folders and files by path from a room that are named and aren't there. */
export function missingPaths(sources: Sources): string[] {
  const folders = new Set<string>();
  for (const name of sources.keys()) for (let at = name; at !== "."; at = path.posix.dirname(at)) folders.add(at);
  const faults: string[] = [];
  for (const { file, line, text } of passages(sources))
    for (const [, found] of text.matchAll(FOLDER)) {
      const name = found.replace(/[.-]+$/, "");
      const isThere = folders.has(name) || [...folders].some((folder) => folder.endsWith(`/${name}`));
      if (!isThere && !MADE.test(name) && !/\.(md|ts|mjs|py)$/.test(name))
        faults.push(`${file}:${line}: names ${name}, which is not there`);
    }
  return faults;
}

/** Words like a name of the code that aren't one, and names of the platform that no code here uses. */
const NO_NAMES = new Set(["arXiv", "ePrint", "withResolvers"]);

/** Names in the spelling of code (small letters first, then a capital) that comments, or pages between backquotes, give and that no code, key or flag has. */
export function missingNames(sources: Sources): string[] {
  const names = new Set<string>(NO_NAMES);
  for (const [file, text] of sources) {
    const code = /\.(json|ndjson)$/.test(file) ? text : sourceParts(file, text).code;
    for (const [name] of code.matchAll(/[A-Za-z_$][\w$]*/g)) names.add(name);
  }
  const faults: string[] = [];
  for (const { file, line, text } of passages(sources)) {
    const said = file.endsWith(".md") ? [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code).join(" ") : text;
    for (const [name] of said.matchAll(/(?<![\w/-])[a-z]+[A-Z]\w*\b/g))
      if (!names.has(name)) faults.push(`${file}:${line}: says ${name}, which no code has`);
  }
  return faults;
}

/** Words that point at documents outside the project. */
const OUTSIDE = /\bissue #?\d|\bReference: (?:the )?seed\b|\bthe seed's\b|\(seed, section/;

/** Comments and pages that cite what a reader of the project doesn't have. */
export function outsideCitations(sources: Sources): string[] {
  return [...passages(sources)].flatMap(({ file, line, text }) => {
    const found = OUTSIDE.exec(text);
    return found === null ? [] : [`${file}:${line}: cites ${found[0]}, which is outside the project`];
  });
}
