/** The flags of a study, checked by a schema: an unknown one, a word that isn't a choice, a number that is none are errors. */
import { parseArgs } from "node:util";
import { toJSONSchema, z } from "zod";
import { schemaFaults } from "../../../protocols/fusion/config/schema-faults.ts";

interface FlagType {
  readonly type?: string;
  readonly items?: FlagType;
}

const whole = z.int().min(0);

/** Flags that every study has. */
export const STUDY_FLAGS = {
  skip: whole.default(0).describe("lines of the texts passed over before the first"),
  seed: whole.default(1),
  out: z
    .string()
    .min(1)
    .optional()
    .describe("NDJSON file: records are added to it, and rows that it holds aren't made again"),
} as const;

/** A list, parted by commas; its default as it is typed. */
export const listed = <T extends z.ZodType>(item: T, text: string): z.ZodDefault<z.ZodArray<T>> =>
  z
    .array(item)
    .min(1)
    .default(() => z.array(item).parse(text.split(",").map(valueOf)));

/** "2x4x1": c, alpha and m of a sharding. */
export const sharding = z.string().regex(/^\d+x\d+(x\d+)?$/, "c x alpha, or c x alpha x m, such as 2x4x1");

/**
 * The flags that were given, with defaults. Throws Error with a line a fault that names the flag and, of words, the nearest: `--sums: expected one
 * of shards, merged, got "shrads"; did you mean shards?`.
 */
export function studyFlags<S extends z.ZodObject>(
  shape: S,
  args: readonly string[] = process.argv.slice(2),
): z.infer<S> {
  const { properties = {} } = toJSONSchema(shape, { io: "input", unrepresentable: "any" });
  const types = Object.entries(properties as Readonly<Record<string, FlagType>>);
  const options = Object.fromEntries(
    types.map(([key, { type }]) => [key, { type: type === "boolean" ? ("boolean" as const) : ("string" as const) }]),
  );
  const given = parseArgs({ args: [...args], options }).values;
  const values = Object.fromEntries(
    types.flatMap(([key, type]) => (given[key] === undefined ? [] : [[key, typed(given[key], type)]])),
  );
  const parsed = shape.safeParse(values);
  if (!parsed.success)
    throw new Error(schemaFaults(parsed.error, shape, values, { what: "flags", name: (key) => `--${key}` }));
  return parsed.data;
}

function typed(given: string | boolean, { type, items }: FlagType): unknown {
  if (typeof given === "boolean") return given;
  if (type === "array") return given.split(",").map((item) => typed(item, items ?? {}));
  return type === "string" ? given : valueOf(given);
}

/** A number where the text is one. */
const valueOf = (text: string): unknown => (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text);
