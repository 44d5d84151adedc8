import { toJSONSchema, type z } from "zod";

interface Schema {
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly anyOf?: readonly Schema[];
}

/** Every field of a record as a path to its leaf: `phases[].messages`, `parties.*.positions`; `*` stands for any name. */
export function recordFields(schema: z.ZodType): string[] {
  return leaves(toJSONSchema(schema) as Schema, "");
}

function leaves(schema: Schema, at: string): string[] {
  const object = schema.anyOf?.find(({ properties }) => properties !== undefined); // or null
  if (object !== undefined) return leaves(object, at);
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, inner]) =>
      leaves(inner, at === "" ? name : `${at}.${name}`),
    );
  if (schema.items?.properties !== undefined) return leaves(schema.items, `${at}[]`);
  const values = schema.additionalProperties;
  return typeof values === "object" && values.properties !== undefined ? leaves(values, `${at}.*`) : [at];
}
