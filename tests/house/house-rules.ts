/** The rules of the house as functions from source files to faults, so that a test can show each of them a violation. */
import path from "node:path";
import type { Sources } from "./sources.ts";

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

/** A relative import or re-export; its first group is the path as written. */
export const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["'](\.{1,2}\/[^"']+)["']/g;

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
  // A file beside the folders (protocols/cost.ts) is below them all; a folder that is not in the table may look at nothing, nor be looked at.
  const isFile = (path: readonly string[]): boolean => path.length === 2;
  if (isFile(to)) return true;
  return !isFile(from) && (from[1] === to[1] ? from[1] in PROTOCOLS : (PROTOCOLS[from[1]] ?? []).includes(to[1]));
}

/** Protocol files that draw secret words past the book (shares/stream-book.ts), which alone sees that none is drawn twice. */
export function drawsPastTheBook(sources: Sources): string[] {
  return [...code(sources)].flatMap(([file, text]) =>
    file.startsWith("protocols/") && [...text.matchAll(IMPORT)].some(([, target]) => target.endsWith("/generator.ts"))
      ? [`${file}: imports a generator`]
      : [],
  );
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

const HEADER = ["Functionality", "Parties", "Leaks", "Assumes", "Cost", "Error bound", "Reference", "Test"] as const;

/** Names of files of the rooms where parties talk that say: a step of a protocol, or one party's part in it. */
const STEP =
  /^protocols\/(?:cascade|smpc\/run)\/(?:[\w-]*-)?(?:pass|node|party|dealer|merge|exchange|(?:party|dealer)-run)\.ts$/;
const GATE = /^protocols\/smpc\/gates\/(?!registry\.ts$)[\w-]+\.ts$/;
/** Calls that move a tensor between parties or draw what is secret, and the declared cost of a step. */
const TALKS = /endpoint\.(?:send|receive)\(|\.stream\(|^export const \w+Cost\b/m;

/**
 * The files that are a step of a protocol: gates, what its place and name say is one, and what sends or receives tensors, draws
 * secret words or declares a cost, wherever it lies above the wire. There is no list: a new file is among them.
 */
export function protocolSteps(sources: Sources): string[] {
  return [...code(sources)].flatMap(([file, text]) => {
    const isAbove = file.startsWith("protocols/") && !file.startsWith("protocols/wire/") && file.split("/").length > 2;
    return isAbove && (STEP.test(file) || GATE.test(file) || TALKS.test(text)) ? [file] : [];
  });
}

/** Steps of protocols whose opening comment lacks a part. */
export function missingHeaders(sources: Sources): string[] {
  return protocolSteps(sources).flatMap((file) => {
    const header = /^\/\*\*[\s\S]*?\*\//.exec(sources.get(file)!)?.[0] ?? "";
    const missing = HEADER.filter((part) => !new RegExp(`\\b${part}: *\\S`).test(header));
    return missing.length === 0 ? [] : [`${file}: expected ${missing.join(", ")} in its opening comment`];
  });
}

/** Kinds of which each is a file of a folder and a line of its registry: what such a file exports. */
const REGISTRIES = [
  { folder: /^layers\/architectures$/, registry: "layers/architectures/registry.ts", type: "Architecture\\b" },
  { folder: /^experiments\/attacks\/[a-z-]+$/, registry: "experiments/attacks/registry.ts", type: "Attack<" },
  { folder: /^experiments\/measures$/, registry: "experiments/measures/registry.ts", type: "Measure\\b" },
  { folder: /^protocols\/smpc\/gates$/, registry: "protocols/smpc/gates/registry.ts", type: "Gate<" },
] as const;

/** Files of such a folder that export one of its kind which the registry doesn't import: nobody would run it. */
export function unregistered(sources: Sources): string[] {
  return REGISTRIES.flatMap(({ folder, registry, type }) =>
    [...code(sources)].flatMap(([file, text]) => {
      const name = new RegExp(`^export (?:const|function) (\\w+)(?:\\([^)]*\\))?: ${type}`, "m").exec(text)?.[1];
      if (!folder.test(path.posix.dirname(file)) || file === registry || name === undefined) return [];
      const from = path.posix.relative(path.posix.dirname(registry), file);
      const imported = new RegExp(`import \\{[^}]*\\b${name}\\b[^}]*\\} from "\\./${from}"`);
      return imported.test(sources.get(registry) ?? "") ? [] : [`${file}: expected ${name} in ${registry}`];
    }),
  );
}

/** Measures without a test of their name. */
export function untestedMeasures(sources: Sources): string[] {
  return [...code(sources)].flatMap(([file, text]) => {
    if (!/^experiments\/measures\/.*\.ts$/.test(file) || !/^export const \w+: Measure\b/m.test(text)) return [];
    const test = `tests/${file.replace(/\.ts$/, ".test.ts")}`;
    return sources.has(test) ? [] : [`${file}: expected ${test}`];
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
