/** What experiments ask, by their ids: from the configs that come with weir. */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { configHash, readAttackConfig } from "../attacks/run/attack-config.ts";

const CONFIGS = new URL("../attacks/configs/", import.meta.url);

/** Questions by the hash of the config that asks; a record of a config that has changed since has none. */
export async function recordQuestions(): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(CONFIGS)).filter((name) => name.endsWith(".json"));
  const configs = await Promise.all(names.map((name) => readAttackConfig(fileURLToPath(new URL(name, CONFIGS)))));
  return new Map(configs.map((config) => [configHash(config), config.question]));
}
