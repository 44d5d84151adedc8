import { readFile } from "node:fs/promises";
import { fileError } from "./file-error.ts";

/** The text of a file in UTF-8. Throws Error: `config run.json: expected a readable file, got ENOENT`. */
export async function readText(what: string, file: string, expected = "a readable file"): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fileError(`${what} ${file}`, expected, error);
  }
}
