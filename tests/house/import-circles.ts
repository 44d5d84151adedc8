import path from "node:path";
import { IMPORT } from "./house-rules.ts";
import type { Sources } from "./sources.ts";

/** Files that import one another in a circle, imports of types included: a line for each circle, its files in the order of their names. */
export function importCircles(sources: Sources): string[] {
  return circles(importsOf(sources));
}

/** Folders under `under` whose files import one another in a circle. */
export function folderCircles(sources: Sources, under: string): string[] {
  const folders = new Map<string, Set<string>>();
  for (const [file, targets] of importsOf(sources)) {
    const from = path.posix.dirname(file);
    const to = targets.map((target) => path.posix.dirname(target)).filter((folder) => folder !== from);
    if (from.startsWith(under)) folders.set(from, new Set([...(folders.get(from) ?? []), ...to]));
  }
  return circles(new Map([...folders].map(([from, to]) => [from, [...to].filter((folder) => folders.has(folder))])));
}

/** By file, the files that it imports. */
function importsOf(sources: Sources): Map<string, string[]> {
  const code = new Map([...sources].filter(([file]) => /\.(ts|mjs)$/.test(file)));
  return new Map(
    [...code].map(([file, text]) => [
      file,
      [...text.matchAll(IMPORT)]
        .map(([, specifier]) => path.posix.join(path.posix.dirname(file), specifier))
        .filter((target) => code.has(target)),
    ]),
  );
}

/** Tarjan's strongly connected components of more than one member, and members that lead to themselves. */
function circles(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const [number, low] = [new Map<string, number>(), new Map<string, number>()];
  const stack: string[] = [];
  const found: string[] = [];
  const visit = (from: string): void => {
    number.set(from, number.size);
    low.set(from, number.get(from)!);
    stack.push(from);
    for (const target of arrows.get(from)!) {
      if (!number.has(target)) visit(target);
      if (stack.includes(target)) low.set(from, Math.min(low.get(from)!, low.get(target)!));
    }
    if (low.get(from) !== number.get(from)) return;
    const members = stack.splice(stack.indexOf(from));
    if (members.length > 1 || arrows.get(from)!.includes(from)) found.push(members.sort().join(" "));
  };
  for (const from of arrows.keys()) if (!number.has(from)) visit(from);
  return found.sort();
}
