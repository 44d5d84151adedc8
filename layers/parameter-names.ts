import type { Algebra } from "./program.ts";

/** The parameters that a part of a program uses, in order of first use: a reading of the program that only listens. */
export function parameterNames(part: (algebra: Algebra<null>) => unknown): string[] {
  const names = new Set<string>();
  const use = (...used: readonly (string | null)[]): null => {
    for (const name of used) if (name !== null) names.add(name);
    return null;
  };
  part({
    lookupTokens: (table) => use(table),
    lookupPositions: (table) => use(table),
    addTableRow: (_x, table) => use(table),
    linear: (_x, weight, bias) => use(weight, bias),
    unembed: (_x, table, bias) => use(table, bias),
    add: () => null,
    multiply: () => null,
    scale: () => null,
    softCap: () => null,
    activate: () => null,
    layerNorm: (_x, gain, bias) => use(gain, bias),
    rmsNorm: (_x, gain) => use(gain),
    rotate: () => null,
  });
  return [...names];
}
