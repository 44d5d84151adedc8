import { ModelFileError, printable } from "./model-file-error.ts";
import { openModelFile } from "./weights/byte-range.ts";

/** Deeper nesting than any config, index or tokenizer file has; bounds the recursion of whoever walks the value. */
const MAX_DEPTH = 64;

export type JsonObject = Record<string, unknown>;

/**
 * Reads a JSON file that must hold one object: size at most `maxBytes`, valid UTF-8, no key twice in one object.
 * @throws ModelFileError naming the file and, for a fault of syntax, line and column.
 */
export async function readJsonFile(path: string, maxBytes: number): Promise<JsonObject> {
  const file = await openModelFile(path);
  try {
    if (file.size > maxBytes) {
      throw new ModelFileError(path, `size: expected at most ${maxBytes} bytes, got ${file.size}`);
    }
    return parseJsonObject(await file.read(0, file.size), path);
  } finally {
    await file.close();
  }
}

/**
 * Parses UTF-8 bytes as one JSON object, strictly: no byte order mark, no key twice in one object, at most 64 levels.
 * @throws ModelFileError naming `file`, line and column.
 */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ModelFileError(file, "JSON: expected UTF-8, got bytes that are not", { cause });
  }
  scan(text, file);
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ModelFileError(file, `JSON: expected an object, got ${printable(text)}`);
  }
  return value as JsonObject;
}

// Sticky, so that each matches exactly at the scanner's place.
const SPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

/**
 * One pass over the grammar of RFC 8259. JSON.parse names no place for some faults and lets the last of two equal keys win, by
 * which a file can show one reader something else than another.
 */
function scan(text: string, file: string): void {
  let at = 0;
  const fault = (expected: string): never => {
    const before = text.slice(0, at).split("\n");
    const got = at < text.length ? printable(text.slice(at, at + 12)) : "the end of the file";
    throw new ModelFileError(
      file,
      `JSON at line ${before.length}, column ${before[before.length - 1].length + 1}: expected ${expected}, got ${got}`,
    );
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const takeString = (): string | null => {
    const end = stringEnd(text, at);
    if (end < 0) return null;
    const raw = text.slice(at, end);
    at = end;
    return raw;
  };

  // An object's keys so far, or null for an array, from the outermost to the innermost.
  const open: (Set<string> | null)[] = [];
  const takeKey = (keys: Set<string>): void => {
    const start = at;
    const raw = takeString() ?? fault("a key in quotation marks");
    const key = raw.includes("\\") ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (keys.has(key)) {
      at = start;
      fault("every key once in an object");
    }
    keys.add(key);
    match(SPACE);
    if (text[at] !== ":") fault('":"');
    at++;
    match(SPACE);
  };

  match(SPACE);
  for (;;) {
    // A value begins here.
    const first = text[at];
    if (first === "{" || first === "[") {
      if (open.length === MAX_DEPTH) fault(`at most ${MAX_DEPTH} levels`);
      at++;
      match(SPACE);
      const keys = first === "{" ? new Set<string>() : null;
      if (text[at] === (keys ? "}" : "]")) {
        at++;
      } else {
        open.push(keys);
        if (keys) takeKey(keys);
        continue;
      }
    } else if (first === '"' ? takeString() === null : match(SCALAR) === null) {
      fault(first === '"' ? "a string with valid escapes that ends" : "a value");
    }
    // A value has ended: close what it closes, or go on to the next value.
    for (;;) {
      match(SPACE);
      if (open.length === 0) {
        if (at < text.length) fault("the end of the file");
        return;
      }
      const keys = open[open.length - 1];
      const next = text[at];
      if (next === ",") {
        at++;
        match(SPACE);
        if (keys) takeKey(keys);
        break;
      }
      if (next !== (keys ? "}" : "]")) fault(keys ? '"," or "}"' : '"," or "]"');
      at++;
      open.pop();
    }
  }
}

/** End of the string literal that begins at `from`, or -1. A loop: a pattern would need stack for every character. */
function stringEnd(text: string, from: number): number {
  if (text.charCodeAt(from) !== 34) return -1;
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) return at + 1;
    if (code < 32) return -1;
    if (code === 92) {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) return -1;
      at = ESCAPE.lastIndex - 1;
    }
  }
  return -1;
}
