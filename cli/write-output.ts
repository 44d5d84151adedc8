import { stat, writeFile } from "node:fs/promises";
import { fileError } from "../layers/file-error.ts";
import { writeAtomically } from "../layers/cache-folder.ts";

/**
 * Writes what a command was asked to keep: a file whole or not at all, a device or pipe as it comes. Throws Error naming the flag and the
 * file: `--out x: expected a file that can be written, got ENOENT`.
 */
export async function writeOutput(flag: string, file: string, text: string): Promise<void> {
  try {
    const there = await stat(file).catch(() => null);
    await (there === null || there.isFile() ? writeAtomically(file, text) : writeFile(file, text));
  } catch (error) {
    throw fileError(`${flag} ${file}`, "a file that can be written", error);
  }
}
