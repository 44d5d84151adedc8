import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { cacheRoot } from "./cache-root.cjs";

/** The cache can't be written; the message names the folder and the variable that moves it. */
export class CacheError extends Error {
  override readonly name = "CacheError";
}

/**
 * Where prepared weights are kept: $WEIR_CACHE, else $XDG_CACHE_HOME/weir, else ~/.cache/weir. Made when absent.
 * @throws CacheError where it can't be made.
 */
export async function cacheFolder(...inside: readonly string[]): Promise<string> {
  const folder = path.join(cacheRoot(), ...inside);
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw cacheError(folder, "a folder that can be written", cause);
  }
  return folder;
}

/** A CacheError for `where`, from what the system said. */
export function cacheError(where: string, expected: string, cause: unknown): CacheError {
  const got = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new CacheError(`cache ${where}: expected ${expected}, got ${got}; set WEIR_CACHE to another folder`, {
    cause,
  });
}

/** A name beside `file` that no other writer uses. */
export const temporaryName = (file: string): string =>
  `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.part`;

/** Writes `file` whole or not at all: readers see the old state or the new one, also when several processes write it at once. */
export async function writeAtomically(file: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = temporaryName(file);
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
