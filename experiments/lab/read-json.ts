import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { schemaFaults } from "../../protocols/fusion/config/schema-faults.ts";

/** What a JSON file holds, checked by a schema. Throws Error that begins with `from` and names the key, what was expected and what came. */
export async function readJson<T>(file: string, schema: z.ZodType<T>, from: string): Promise<T> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Error(`${from}: expected a JSON file that can be read, got ${(error as Error).message}`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`${from}: ${schemaFaults(parsed.error, schema, value, { what: "content" })}`);
  return parsed.data;
}
