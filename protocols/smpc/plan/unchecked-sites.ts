import type { Plan } from "./instruction.ts";

/**
 * Names of the sites of a plan whose range was only observed and whose values nothing checks: a value beyond such a range makes its row
 * wrong, and no failed row says so. A certified range holds for every input.
 */
export function uncheckedSites({ sites, checks, instructions }: Plan): string[] {
  const leaving = new Set(
    instructions.flatMap((instruction) => (instruction.gate === "output" ? [instruction.x] : [])),
  );
  const checked = new Set(checks.map(({ site }) => site));
  const unchecked = sites.filter(
    ({ site, value, range }) => range === "calibrated" && !checked.has(site) && !leaving.has(value),
  );
  return [...new Set(unchecked.map(({ site }) => site))];
}
