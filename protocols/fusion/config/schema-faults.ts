import { toJSONSchema, type ZodError, type ZodType } from "zod";
import { didYouMean } from "./did-you-mean.ts";

type Issue = ZodError["issues"][number];

/** A command's mistake takes at most this many lines. */
const MOST_FAULTS = 3;

/** How faults are told. */
export interface FaultWords {
  /** What names a fault that has no key of its own: "content". */
  readonly what: string;
  /** What a key is called where the value came from; as it is by default. Members of a list are then not numbered. */
  readonly name?: (key: string) => string;
}

/**
 * What `schema` found wrong with `value`, a line a fault: `alpha: expected a number, got "many"`. Near names of keys and values are
 * suggested. Faults beyond three are counted, not shown.
 */
export function schemaFaults(error: ZodError, schema: ZodType, value: unknown, { what, name }: FaultWords): string {
  // One fault a key: 1e30 is beyond the safe integers and beyond the key's own bound, which comes last and says more.
  const byKey = new Map(error.issues.map((issue) => [issue.path.join("\n"), issue]));
  const lines = [...byKey.values()].map((issue) => {
    const key = keyText(issue.path, name);
    return `${key === "" ? what : key}: ${fault(issue, schema, value)}`;
  });
  const more = lines.length - MOST_FAULTS;
  return lines.slice(0, MOST_FAULTS).join("\n") + (more > 0 ? `; and ${more} more` : "");
}

function keyText(path: readonly PropertyKey[], name: FaultWords["name"]): string {
  const shownPath = name === undefined ? path : path.filter((part) => typeof part !== "number");
  const parts = shownPath.map((part, at) => {
    const word = String(part);
    if (!/^[A-Za-z]\w*$/.test(word)) return `[${JSON.stringify(part)}]`;
    return at === 0 ? (name?.(word) ?? word) : `.${word}`;
  });
  return parts.join("");
}

function fault(issue: Issue, schema: ZodType, value: unknown): string {
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys.map((key) => JSON.stringify(key)).join(", ");
    return `expected known keys only, got ${unknown}${didYouMean(issue.keys[0], keysAt(schema, issue.path))}`;
  }
  const got = issue.path.reduce<unknown>(
    (inner, part) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, part) : undefined),
    value,
  );
  // A check of a text may name the part of it that is wrong.
  if (issue.code === "custom" && typeof issue.params?.got === "string")
    return `expected ${issue.message}, got ${issue.params.got}${String(issue.params.near ?? "")}`;
  const near =
    issue.code === "invalid_value" && typeof got === "string" ? didYouMean(got, issue.values.map(String)) : "";
  return `expected ${expected(issue)}, got ${shown(got)}${near}`;
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
}

/** The keys that an object at `path` may have; none where the schema offers several forms. */
function keysAt(schema: ZodType, path: readonly PropertyKey[]): string[] {
  const root = toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Node;
  const node = path.reduce<Node | undefined>((at, part) => {
    if (at === undefined) return undefined;
    const { properties = {}, additionalProperties: values, items } = at;
    return typeof part === "number"
      ? items
      : (properties[String(part)] ?? (typeof values === "object" ? values : undefined));
  }, root);
  return Object.keys(node?.properties ?? {});
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? issue.expected;
    case "invalid_value":
      return oneOf(issue.values);
    case "invalid_union":
      return "options" in issue ? oneOf(issue.options as readonly unknown[]) : "another form";
    case "invalid_format":
      if (issue.format === "regex") return issue.message; // what the schema says of it
      return issue.format === "url" ? "an address such as wss://host:port" : `a ${issue.format}`;
    case "too_small":
      if (issue.origin === "string") return "some text";
      if (issue.origin === "array") return "some members";
      return issue.inclusive === false ? `more than ${issue.minimum}` : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  number: "a number",
  int: "an integer",
  string: "text",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  record: "an object",
};

const oneOf = (values: readonly unknown[]): string =>
  values.length === 1 ? shown(values[0]) : `one of ${values.map(String).join(", ")}`;

/** A value as JSON, cut where it is long; JSON knows no NaN and no undefined. */
function shown(value: unknown): string {
  if (value === undefined) return "none";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
