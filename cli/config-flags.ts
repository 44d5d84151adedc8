import type { Command } from "commander";
import { configOver, withPreset } from "../protocols/fusion/config/presets.ts";
import { parseRunConfig, runConfig, type RunConfig } from "../protocols/fusion/config/run-config.ts";
import { pathText } from "../protocols/fusion/config/path-text.ts";
import { z } from "zod";
import { addFlags, flagName, flagValues } from "./flags.ts";
import { readText } from "../layers/read-text.ts";

const configFile = z.object({
  config: pathText("file").optional().describe("JSON file with any of these keys in camelCase; flags go before it"),
});

/** Adds a flag for every key of the run config, or for those of `keys`, and --config. */
export function addConfigFlags(command: Command, keys?: readonly (keyof RunConfig)[]): Command {
  return addFlags(addFlags(command, runConfig, keys), configFile);
}

/** A run config and where its keys came from. */
export interface GivenConfig {
  readonly config: RunConfig;
  /** An error about keys of the config, such as `beta and m: expected one of them, ...`, with their names as they were given. */
  named(this: void, error: unknown): unknown;
}

/**
 * The run config that the flags, the config file and the topology give together: a flag goes before the file, a preset where it stands, and
 * what neither says of the nodes the topology does. Throws Error naming the flag, or the file and the key, and the fault.
 */
export async function readConfig(flags: Readonly<Record<string, unknown>>): Promise<GivenConfig> {
  const typed = flagValues(runConfig, flags);
  const { config: file } = flagValues(configFile, flags) as { readonly config?: string };
  const filed = file === undefined ? {} : await readConfigFile(file);
  const given = configOver(filed, typed);
  const { topology } = given;
  const implied = typeof topology === "string" ? await impliedBy(topology, given) : {};
  const origin = (key: string): string => {
    // The short form of a placement goes by its own name.
    const word =
      key === "placement" && given.placement === undefined && given.smpcLayers !== undefined ? "smpcLayers" : key;
    if (Object.hasOwn(typed, word)) return flagName(word);
    if (Object.hasOwn(withPreset(typed), word)) return `--preset ${String(typed.preset)}`;
    if (Object.hasOwn(filed, word)) return `${word} (${file})`;
    if (Object.hasOwn(withPreset(filed), word)) return `preset ${String(filed.preset)} (${file})`;
    return Object.hasOwn(implied, word) ? `${word} (${topology as string})` : flagName(word);
  };
  return {
    config: parseRunConfig(configOver(implied, given), "", origin),
    named(error) {
      if (error instanceof Error) error.message = withNames(error.message, origin);
      return error;
    },
  };
}

/** `beta and m: expected ...` as `--beta and --m: expected ...`, where all that is before the colon are keys. */
function withNames(message: string, origin: (key: string) => string): string {
  const what = /^[A-Za-z]+(?:(?:, | and )[A-Za-z]+)*(?=: expected )/.exec(message)?.[0];
  const words = what?.split(/(, | and )/);
  const isKey = (word: string): boolean => Object.hasOwn(runConfig.shape, word);
  if (what === undefined || words?.some(isKey) !== true) return message;
  return words.map((word) => (isKey(word) ? origin(word) : word)).join("") + message.slice(what.length);
}

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  const text = await readText("config", file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`config ${file}: expected JSON, got ${(error as Error).message}`, { cause: error });
  }
  parseRunConfig(value, `config ${file}: `);
  return value as Record<string, unknown>;
}

async function impliedBy(file: string, given: Readonly<Record<string, unknown>>): Promise<Partial<RunConfig>> {
  const [{ readTopology }, { topologyConfig }] = await Promise.all([
    import("../protocols/fusion/deployment/topology.ts"),
    import("../protocols/fusion/deployment/topology-config.ts"),
  ]);
  return topologyConfig(await readTopology(file), given);
}
