/** The rules of the house as functions from source files to faults, so that a test can show each of them a violation. */
import path from "node:path";

/** Path relative to the checkout, with forward slashes -> text. */
export type Sources = ReadonlyMap<string, string>;

/** Rooms in the order in which they may look at one another: each at itself and at those before it. */
const ROOMS = ["shares", "layers", "protocols", "experiments", "cli"] as const;
/** Folders of protocols, and which others each may look at. */
const PROTOCOLS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  smpc: [],
  cascade: ["wire", "smpc"],
  fusion: ["wire", "smpc", "cascade"],
};
/** Rooms that may look at everything and that nothing looks at. */
const LOOKERS = ["tests", "proofs"] as const;

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["'](\.{1,2}\/[^"']+)["']/g;

/** Imports against the direction of the rooms: shares <- layers <- protocols (wire, smpc <- cascade <- fusion) <- experiments <- cli. */
export function wrongImports(sources: Sources): string[] {
  const faults: string[] = [];
  for (const [file, text] of code(sources)) {
    const from = file.split("/");
    for (const [, specifier] of text.matchAll(IMPORT)) {
      const target = path.posix.join(path.posix.dirname(file), specifier);
      const to = target.split("/");
      if (!mayImport(from, to)) faults.push(`${file}: imports ${target}`);
    }
  }
  return faults;
}

function mayImport(from: readonly string[], to: readonly string[]): boolean {
  if (isOneOf(LOOKERS, from[0])) return true;
  if (isOneOf(LOOKERS, to[0])) return false;
  const [a, b] = [ROOMS.indexOf(from[0] as never), ROOMS.indexOf(to[0] as never)];
  if (a < 0 || b < 0) return false;
  if (a !== b) return b < a;
  if (from[0] !== "protocols") return true;
  // A file beside the folders (cost.ts) is below them all; a folder that is not in the table may look at nothing, nor be looked at.
  const isFile = (path: readonly string[]): boolean => path.length === 2;
  if (isFile(to)) return true;
  return !isFile(from) && (from[1] === to[1] ? from[1] in PROTOCOLS : (PROTOCOLS[from[1]] ?? []).includes(to[1]));
}

/** Code files with more lines than `limit`. */
export function longFiles(sources: Sources, limit: number): string[] {
  return [...code(sources)].flatMap(([file, text]) => {
    const lines = text.split("\n").length - 1;
    return lines > limit ? [`${file}: expected at most ${limit} lines, got ${lines}`] : [];
  });
}

/** Names that say nothing: a file or folder is named for what is in it. */
export function emptyNames(sources: Sources): string[] {
  return [...sources.keys()].filter((file) =>
    file.split("/").some((part) => /(^|[-_.])(utils?|helpers?|common|misc)([-_.]|$)/i.test(part)),
  );
}

const HEADER = ["Functionality", "Parties", "Leaks", "Assumes", "Cost", "Reference", "Test"] as const;

/** Protocol files whose opening comment lacks a part; files of `rounding` state an error bound as well. */
export function missingHeaders(sources: Sources, files: readonly string[], rounding: ReadonlySet<string>): string[] {
  return files.flatMap((file) => {
    const header = /^\/\*\*[\s\S]*?\*\//.exec(sources.get(file) ?? "")?.[0] ?? "";
    const wanted = rounding.has(file) ? [...HEADER, "Error bound"] : HEADER;
    const missing = wanted.filter((part) => !new RegExp(`\\b${part}: *\\S`).test(header));
    return missing.length === 0 ? [] : [`${file}: expected ${missing.join(", ")} in its opening comment`];
  });
}

/** Test files that a header names and that don't exist. */
export function missingTests(sources: Sources): string[] {
  return [...code(sources)].flatMap(([file, text]) =>
    [...text.matchAll(/\btests\/[\w./-]+\.test\.ts/g)]
      .map(([name]) => name)
      .filter((name) => !sources.has(name))
      .map((name) => `${file}: names ${name}, which is not there`),
  );
}

// Written in two halves, so that this file does not hold what it looks for.
const PLACES = ["/wo" + "rk/", "/tm" + "p/", "registry.np" + "mjs", "py" + "pi.org", "files.python" + "hosted"];

/** Paths of the machine where a file was written, and hosts of package registries. */
export function machinePlaces(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, at) => {
      const place = PLACES.find((name) => new RegExp(`(^|[^\\w.~-])${name.replaceAll(".", "\\.")}`).test(line));
      return place === undefined ? [] : [`${file}:${at + 1}: holds ${place}`];
    }),
  );
}

function* code(sources: Sources): Generator<[string, string]> {
  for (const [file, text] of sources) if (/\.(ts|mjs|cjs)$/.test(file)) yield [file, text];
}

const isOneOf = (names: readonly string[], name: string): boolean => names.includes(name);
