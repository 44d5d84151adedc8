/** The cells of a question: every setting with every measure, and with every network where that matters. */
import { parseRunConfig, type RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { didYouMean } from "../../protocols/fusion/config/did-you-mean.ts";
import { schemaFaults } from "../../protocols/fusion/config/schema-faults.ts";
import type { Measure, Measures } from "./measure.ts";
import type { Network, Question } from "./question.ts";

export interface QuestionCell {
  /** From 0. */
  readonly index: number;
  /** What a person wrote, grid and zip resolved. */
  readonly setting: Readonly<Record<string, unknown>>;
  /** The same with defaults. */
  readonly config: RunConfig;
  /** Of each prompt. */
  readonly tokens: number;
  /** Null: no delay, or of no matter. */
  readonly network: Network | null;
  readonly measure: Measure;
  readonly options: unknown;
}

/** Throws Error naming a setting that is no run config, a measure that there isn't, or its option that is wrong. */
export function questionCells(question: Question, measures: Measures): QuestionCell[] {
  const { setting, grid, zip, networks = [null] } = question;
  const asked = question.measures.map((given) => measureOf(question.id, given, measures));
  const cells: Omit<QuestionCell, "index">[] = [];
  const lengths = [question.workload.tokens].flat();
  for (const together of zip)
    for (const point of product(grid)) {
      const whole = { ...setting, ...together, ...point };
      const config = parseRunConfig(
        { place: "memory", ...whole },
        `question ${question.id}, setting ${JSON.stringify(whole)}: `,
      );
      for (const tokens of lengths)
        for (const { measure, options } of asked)
          for (const network of measure.isOfNetwork ? networks : [null])
            cells.push({ setting: whole, config, tokens, network, measure, options });
    }
  return cells.map((cell, index) => ({ index, ...cell }));
}

function measureOf(
  id: string,
  given: Question["measures"][number],
  measures: Measures,
): { measure: Measure; options: unknown } {
  const { measure: name, ...rest } = typeof given === "string" ? { measure: given } : given;
  const measure = measures.get(name);
  if (measure === undefined) {
    const known = [...measures.keys()];
    throw new Error(
      `question ${id}: measures: expected one of ${known.join(", ")}, got ${name}${didYouMean(name, known)}`,
    );
  }
  const parsed = measure.options.safeParse(rest);
  if (!parsed.success)
    throw new Error(
      `question ${id}: measure ${name}: ${schemaFaults(parsed.error, measure.options, rest, { what: "options" })}`,
    );
  return { measure, options: parsed.data };
}

/** All combinations, the last key's values following one another. */
function product(grid: Question["grid"]): Record<string, unknown>[] {
  return Object.entries(grid).reduce<Record<string, unknown>[]>(
    (points, [key, values]) => points.flatMap((point) => values.map((value) => ({ ...point, [key]: value }))),
    [{}],
  );
}
