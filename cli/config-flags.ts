import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { parseRunConfig, runConfig, type RunConfig } from "../protocols/fusion/config/run-config.ts";

/** Adds a flag for every key of the run config, with its description and default, and --config. */
export function addConfigFlags(
  command: Command,
  keys: readonly (keyof RunConfig)[] = Object.keys(runConfig.shape) as (keyof RunConfig)[],
): Command {
  for (const key of keys) {
    const field = runConfig.shape[key];
    const byDefault = field.safeParse(undefined).data;
    const note = byDefault === undefined || byDefault === false ? "" : ` (default: ${JSON.stringify(byDefault)})`;
    const value = typeof byDefault === "boolean" ? "" : ` <${placeholder(key)}>`;
    command.option(`--${kebab(key)}${value}`, `${field.description ?? describeRule(key)}${note}`);
  }
  return command.option("--config <file>", "JSON file with any of these keys in camelCase; flags go before it");
}

/** The run config that the flags and the config file give together. Throws Error naming the file, the key and the fault. */
export async function readConfig(flags: Readonly<Record<string, unknown>>): Promise<RunConfig> {
  const given = typeof flags.config === "string" ? await readConfigFile(flags.config) : {};
  for (const key of Object.keys(runConfig.shape)) {
    const value = flags[key];
    if (value !== undefined) given[key] = typeof value === "string" ? fromFlag(key as keyof RunConfig, value) : value;
  }
  return parseRunConfig(given);
}

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new Error(
      `config ${file}: expected a readable file, got ${(error as NodeJS.ErrnoException).code ?? "an error"}`,
      { cause: error },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`config ${file}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  parseRunConfig(value, `config ${file}: `);
  return value as Record<string, unknown>;
}

/** A flag's text as the key's kind of value; a number that is none stays text, for the error to show. */
function fromFlag(key: keyof RunConfig, text: string): unknown {
  const kind = placeholder(key);
  if (kind === "n") return /^-?\d+(\.\d+)?(e-?\d+)?$/.test(text) ? Number(text) : text;
  if (kind !== "json") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Error(`${key}: expected JSON, got ${text}`, { cause: error });
  }
}

const kebab = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const placeholder = (key: string): string =>
  ({
    model: "path",
    r: "json",
    s: "json",
    wire: "word",
    head: "where",
    smpcLayers: "layers",
    smpcPrecision: "name",
    dealer: "where",
    place: "where",
    topology: "file",
    views: "folder",
    cert: "file",
    key: "file",
    ca: "file",
  })[key] ?? "n";
const describeRule = (key: string): string => `sharding rule "${key}" as JSON`;
