import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";

/** Where prepared weights are kept: $WEIR_CACHE, else $XDG_CACHE_HOME/weir, else ~/.cache/weir. Made when absent. */
export async function cacheFolder(...inside: readonly string[]): Promise<string> {
  const { WEIR_CACHE, XDG_CACHE_HOME } = process.env;
  const root = WEIR_CACHE || path.join(XDG_CACHE_HOME || path.join(homedir(), ".cache"), "weir");
  const folder = path.join(root, ...inside);
  await mkdir(folder, { recursive: true });
  return folder;
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
