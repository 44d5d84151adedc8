import type { ZodError } from "zod";

type Issue = ZodError["issues"][number];

/** A command's mistake takes at most this many lines. */
const MOST_FAULTS = 3;

/**
 * What a schema found wrong with a value, a line a fault: `alpha: expected a number, got "many"`. `value` is what was checked; `what`
 * names it where a fault has no key of its own. Faults beyond three are counted, not shown.
 */
export function schemaFaults(error: ZodError, value: unknown, what: string): string {
  // One fault a key: 1e30 is beyond the safe integers and beyond the key's own bound, which comes last and says more.
  const byKey = new Map(error.issues.map((issue) => [issue.path.join("\n"), issue]));
  const lines = [...byKey.values()].map((issue) => fault(issue, value, what));
  const more = lines.length - MOST_FAULTS;
  return lines.slice(0, MOST_FAULTS).join("\n") + (more > 0 ? `; and ${more} more` : "");
}

function fault(issue: Issue, value: unknown, what: string): string {
  const key = issue.path
    .map((part) => (/^[A-Za-z]\w*$/.test(String(part)) ? `.${String(part)}` : `[${JSON.stringify(part)}]`))
    .join("");
  const name = key === "" ? what : key.replace(/^\./, "");
  if (issue.code === "unrecognized_keys")
    return `${name}: expected known keys only, got ${issue.keys.map((unknown) => JSON.stringify(unknown)).join(", ")}`;
  const got = issue.path.reduce<unknown>(
    (inner, part) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, part) : undefined),
    value,
  );
  return `${name}: expected ${expected(issue)}, got ${shown(got)}`;
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
