import path from "node:path";
import { IMPORT } from "./house-rules.ts";
import type { Sources } from "./sources.ts";

/** Files that import one another in a circle, imports of types included: a line for each circle, its files in the order of their names. */
export function importCircles(sources: Sources): string[] {
  const code = new Map([...sources].filter(([file]) => /\.(ts|mjs)$/.test(file)));
  const imports = (file: string): string[] =>
    [...code.get(file)!.matchAll(IMPORT)]
      .map(([, specifier]) => path.posix.join(path.posix.dirname(file), specifier))
      .filter((target) => code.has(target));

  // Tarjan's strongly connected components.
  const [number, low] = [new Map<string, number>(), new Map<string, number>()];
  const stack: string[] = [];
  const circles: string[] = [];
  const visit = (file: string): void => {
    number.set(file, number.size);
    low.set(file, number.get(file)!);
    stack.push(file);
    for (const target of imports(file)) {
      if (!number.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== number.get(file)) return;
    const members = stack.splice(stack.indexOf(file));
    if (members.length > 1 || imports(file).includes(file)) circles.push(members.sort().join(" "));
  };
  for (const file of code.keys()) if (!number.has(file)) visit(file);
  return circles.sort();
}
