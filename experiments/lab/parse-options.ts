import type { z } from "zod";
import { schemaFaults } from "../../protocols/fusion/config/schema-faults.ts";

/** An attack's options by its schema, defaults filled in. Throws Error naming the attack, the key, what was expected and what came. */
export function parseOptions<S extends z.ZodType>(attack: string, schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Error(`${attack}: ${schemaFaults(parsed.error, schema, value, { what: "options" })}`);
  return parsed.data;
}
