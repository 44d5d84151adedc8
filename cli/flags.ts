/** The flags of a command, as a zod object says them: name, placeholder, help, kind, bounds and default of each follow from its type. */
import { Option, type Command } from "commander";
import { toJSONSchema, type z } from "zod";
import { schemaFaults } from "../protocols/fusion/config/schema-faults.ts";

/** What a flag's type says in JSON Schema. `title` is the word in its placeholder. */
interface FlagType {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly const?: string | number | boolean | null;
  readonly items?: FlagType;
  readonly anyOf?: readonly FlagType[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}

/** How a flag is shown and read. */
interface Flag {
  /** What stands for the value in the help; null: the flag has none. */
  readonly placeholder: string | null;
  /** The values it takes, for the help: "1 to 64"; "" where the placeholder says it. */
  readonly bounds: string;
  /** The value of a text; what is none stays text, for the error to show. Throws SyntaxError for broken JSON. */
  read(this: void, text: string): unknown;
}

/** Adds a flag for every key of `shape`, or for those of `keys`. */
export function addFlags(command: Command, shape: z.ZodObject, keys?: readonly string[]): Command {
  for (const [key, type] of typesOf(shape)) {
    if (keys !== undefined && !keys.includes(key)) continue;
    const { placeholder, bounds } = flagOf(type);
    // A flag that is on by default is there to turn it off.
    const name = type.default === true ? `no-${kebab(key)}` : kebab(key);
    const byDefault = type.default === undefined || typeof type.default === "boolean" ? "" : `default: ${shown(type)}`;
    const notes = [bounds, byDefault].filter((note) => note !== "").join("; ");
    const flags = `--${name}${placeholder === null ? "" : ` <${placeholder}>`}`;
    command.addOption(new Option(flags, `${type.description ?? ""}${notes === "" ? "" : ` (${notes})`}`));
  }
  return command;
}

/** The values of the flags of `shape` that were given, by key. Throws Error naming a flag that takes JSON and got something else. */
export function flagValues(shape: z.ZodObject, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, type] of typesOf(shape)) {
    const value = given[key];
    if (typeof value !== "string") {
      // commander gives `true` for a --no-flag that isn't there.
      if (value !== undefined && value !== type.default) values[key] = value;
      continue;
    }
    try {
      values[key] = flagOf(type).read(value);
    } catch (error) {
      throw new Error(`${flagName(key)}: expected JSON, got ${value}`, { cause: error });
    }
  }
  return values;
}

/** The flags that were given, checked, with defaults. Throws Error with a line a fault that names the flag: `--n: expected a number, got "many"`. */
export function readFlags<S extends z.ZodObject>(shape: S, given: Readonly<Record<string, unknown>>): z.infer<S> {
  const values = flagValues(shape, given);
  const parsed = shape.safeParse(values);
  if (!parsed.success) throw new Error(schemaFaults(parsed.error, shape, values, { what: "flags", name: flagName }));
  return parsed.data;
}

/** Throws Error where one flag was given together with others that it excludes. */
export function excludeFlags(given: Readonly<Record<string, unknown>>, key: string, others: readonly string[]): void {
  const other = given[key] === undefined ? undefined : others.find((name) => given[name] !== undefined);
  if (other !== undefined) throw new Error(`${flagName(key)} and ${flagName(other)}: expected one of them, got both`);
}

/** A key as the flag that people type: smpcLayers is --smpc-layers. */
export const flagName = (key: string): string => `--${kebab(key)}`;

const kebab = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function typesOf(shape: z.ZodObject): [string, FlagType][] {
  const { properties = {} } = toJSONSchema(shape, { io: "input", unrepresentable: "any" });
  return Object.entries(properties as Readonly<Record<string, FlagType>>);
}

function flagOf(type: FlagType): Flag {
  if (type.type === "boolean") return { placeholder: null, bounds: "", read: (text) => text };
  if (type.enum !== undefined) return { placeholder: type.enum.join("|"), bounds: "", read: (text) => text };
  if (type.type === "string") return { placeholder: type.title ?? "text", bounds: "", read: (text) => text };
  if (isNumeric(type))
    return { placeholder: type.title ?? (isWhole(type) ? "n" : "x"), bounds: numberBounds(type), read: numberOf };
  if (type.type === "array" && type.items !== undefined) {
    const { placeholder, bounds, read } = flagOf(type.items);
    return { placeholder: `${placeholder},...`, bounds, read: (text) => text.split(",").map(read) };
  }
  return { placeholder: "json", bounds: "", read: (text) => JSON.parse(text) as unknown };
}

function isNumeric({ type, anyOf }: FlagType): boolean {
  return type === "integer" || type === "number" || (anyOf?.every(isNumeric) ?? false);
}

function isWhole({ type, const: only, anyOf }: FlagType): boolean {
  return type === "integer" || Number.isInteger(only) || (anyOf?.every(isWhole) ?? false);
}

/** "1 to 64", "from 0", "above 0, to 1", "0 or 2 to 8"; the ends of the safe integers are none. */
function numberBounds({ anyOf, const: only, minimum, maximum, exclusiveMinimum }: FlagType): string {
  if (anyOf !== undefined) return anyOf.map(numberBounds).join(" or ");
  if (only !== undefined) return String(only);
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? null : maximum;
  if (exclusiveMinimum !== undefined) return `above ${exclusiveMinimum}${most === null ? "" : `, to ${most}`}`;
  if (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER) return most === null ? "" : `to ${most}`;
  return most === null ? `from ${minimum}` : `${minimum} to ${most}`;
}

const numberOf = (text: string): unknown => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text);

/** A default as one would type it. */
function shown({ default: value }: FlagType): string {
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "number" && value >= 1e8) return value.toExponential().replace("+", "");
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}
