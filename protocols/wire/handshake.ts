/** The handshake: both ends send hello and compare; what differs is named with both values. */
import { createHash } from "node:crypto";
import type { Hello } from "./control.ts";
import { HandshakeError } from "./errors.ts";
import { FRAME_VERSION } from "./frame.ts";
import type { WireLimits } from "./limits.ts";

/** Limits that both ends must share: a frame that one may send, the other must take. */
const SHARED_LIMITS = [
  "chunkBytes",
  "maxTensorBytes",
  "maxControlBytes",
  "maxLayers",
] as const satisfies (keyof WireLimits)[];

type Field = string | number | undefined;

/** Longest JSON that travels as it is; what is longer travels as its hash. */
const MAX_PLAIN_FIELD = 80;
const MAX_FIELDS = 500;

/**
 * A public description as a flat record, path to JSON or to a hash of it: two parties compare such records, so that a difference
 * has a name ("attention.parts"). Objects are opened, arrays and long values hashed. Throws RangeError beyond 500 fields.
 */
export function describeFields(description: unknown): Record<string, string> {
  const fields: [string, string][] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
      for (const [name, member] of Object.entries(value))
        if (member !== undefined) visit(member, path ? `${path}.${name}` : name);
      return;
    }
    const json = canonicalJson(value);
    const text =
      json.length <= MAX_PLAIN_FIELD ? json : `sha256:${createHash("sha256").update(json).digest("hex").slice(0, 32)}`;
    fields.push([path, text]);
  };
  const empty = typeof description === "object" && description !== null && Object.keys(description).length === 0;
  if (!empty) visit(description, "");
  if (fields.length > MAX_FIELDS) {
    throw new RangeError(
      `public description: expected at most ${MAX_FIELDS} fields, got ${fields.length}; put lists into arrays`,
    );
  }
  return Object.fromEntries(fields.sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}

/** JSON with sorted keys: equal values have equal texts. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === "object" && member !== null && !Array.isArray(member)
        ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
        : member,
    ) ?? "null"
  );
}

/** What this party says of itself on every link. */
export function helloOf(
  party: string,
  to: string | null,
  model: string,
  description: Record<string, string>,
  limits: WireLimits,
): Hello {
  return {
    type: "hello",
    protocol: FRAME_VERSION,
    party,
    to,
    model,
    description,
    limits: Object.fromEntries(SHARED_LIMITS.map((name) => [name, limits[name]])),
  };
}

/** Compares a peer's hello with ours. Throws HandshakeError naming every field that differs (ten at most), our value and theirs. */
export function checkHello(ours: Hello, theirs: Hello): void {
  const differences: string[] = [];
  const compare = (field: string, own: Field, other: Field): void => {
    if (own !== other) differences.push(`${field}: expected ${own ?? "none"}, got ${other ?? "none"}`);
  };
  compare("protocol version", ours.protocol, theirs.protocol);
  compare("model", ours.model, theirs.model);
  compareRecords("limits", ours.limits, theirs.limits, compare);
  compareRecords("description", ours.description, theirs.description, compare);
  if (theirs.to !== null) compare("party it means to reach", ours.party, theirs.to);
  if (differences.length === 0) return;
  const more = differences.length > 10 ? `; and ${differences.length - 10} more` : "";
  throw new HandshakeError(
    theirs.party,
    `handshake of ${ours.party} with ${theirs.party}: ${differences.slice(0, 10).join("; ")}${more}`,
  );
}

function compareRecords(
  what: string,
  ours: Readonly<Record<string, Field>>,
  theirs: Readonly<Record<string, Field>>,
  compare: (field: string, own: Field, other: Field) => void,
): void {
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    compare(`${what} ${name}`, ours[name], theirs[name]);
  }
}
