import type { Algebra } from "./program.ts";

/** How a program uses a parameter: `linear` weights are multiplied from the right, everything else is read as it is. */
export type ParameterUse = "linear" | "table" | "vector";

/** The parameters that a part of a program uses, in order of first use: a reading of the program that only listens. */
export function parameterUses(part: (algebra: Algebra<null>) => unknown): Map<string, ParameterUse> {
  const uses = new Map<string, ParameterUse>();
  const note = (name: string | null, use: ParameterUse): void => {
    if (name !== null) uses.set(name, use);
  };
  const table = (name: string): null => (note(name, "table"), null);
  const vectors = (...names: readonly (string | null)[]): null => (names.forEach((name) => note(name, "vector")), null);
  part({
    lookupTokens: table,
    lookupPositions: table,
    addTableRow: (_x, name) => table(name),
    linear: (_x, weight, bias) => (note(weight, "linear"), vectors(bias)),
    unembed: (_x, name, bias) => (table(name), vectors(bias)),
    add: () => null,
    multiply: () => null,
    scale: () => null,
    softCap: () => null,
    activate: () => null,
    layerNorm: (_x, gain, bias) => vectors(gain, bias),
    rmsNorm: (_x, gain) => vectors(gain),
    rotate: () => null,
  });
  return uses;
}

/** The names alone. */
export const parameterNames = (part: (algebra: Algebra<null>) => unknown): string[] => [...parameterUses(part).keys()];
