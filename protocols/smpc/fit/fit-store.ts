import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { z } from "zod";
import { cacheRoot } from "../../../layers/cache-root.cjs";
import { temporaryName } from "../../../layers/cache-folder.ts";
import { BoundedMemo } from "../../bounded-memo.ts";

/** Changes whenever a fit of the same request comes out otherwise. */
const REVISION = 1;
/** Files in the folder, of up to 60 kB; the oldest go first. */
const MOST_FILES = 1024;
const MAX_BYTES = 1 << 20;
const FOLDER = "series";

/** A fit that takes long, by its request. */
export interface FitRequest<T> {
  readonly key: string;
  /** Pure: the same for the same key. */
  make(): T;
  /** Is a value that was read what it says it is, at some points? */
  agrees(value: T): boolean;
}

/**
 * Fits that are kept for the process, and in the cache folder for the next one and for the other parties on this machine: by their exact
 * request, the revision of this code and that of the engine, whose logarithms and cosines they are made with. A file that is another's, was
 * altered or doesn't fit its function is made again; where none can be written, nothing is kept.
 */
export class FitStore<T> {
  readonly #name: string;
  readonly #schema: z.ZodType<T>;
  readonly #memo: BoundedMemo<T>;

  /** `name`: of what is fitted; `most`: values in memory. */
  constructor(name: string, schema: z.ZodType<T>, most: number) {
    this.#name = name;
    this.#schema = schema;
    this.#memo = new BoundedMemo(most);
  }

  /** Is it there without being made? */
  has(request: FitRequest<T>): boolean {
    if (this.#memo.has(request.key)) return true;
    const read = this.#read(request);
    if (read !== null) this.#memo.get(request.key, () => read);
    return read !== null;
  }

  get(request: FitRequest<T>): T {
    return this.#memo.get(request.key, () => {
      const read = this.#read(request);
      if (read !== null) return read;
      const text = JSON.stringify(request.make());
      this.#write(request.key, text);
      // As it will be read, to the order of its keys: plans are compared by the hash of their text.
      return this.#schema.parse(JSON.parse(text));
    });
  }

  #identity(key: string): string {
    return JSON.stringify([REVISION, process.versions.v8, this.#name, key]);
  }

  #fileOf(key: string): string {
    return path.join(cacheRoot(), FOLDER, `${hashOf(this.#identity(key))}.json`);
  }

  #read(request: FitRequest<T>): T | null {
    const { key } = request;
    try {
      const file = this.#fileOf(key);
      if (statSync(file).size > MAX_BYTES) return null;
      const { identity, digest, value } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      if (identity !== this.#identity(key) || digest !== hashOf(JSON.stringify(value))) return null;
      const parsed = this.#schema.safeParse(value);
      return parsed.success && request.agrees(parsed.data) ? parsed.data : null;
    } catch {
      return null; // absent, or not JSON
    }
  }

  #write(key: string, value: string): void {
    const file = this.#fileOf(key);
    const temporary = temporaryName(file);
    try {
      mkdirSync(path.dirname(file), { recursive: true });
      dropOldest(path.dirname(file));
      const [identity, digest] = [this.#identity(key), hashOf(value)].map((text) => JSON.stringify(text));
      writeFileSync(temporary, `{"identity":${identity},"digest":${digest},"value":${value}}`);
      renameSync(temporary, file);
    } catch {
      // A folder that can't be written, or that another process clears.
    }
  }
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Leaves room for one more file. */
function dropOldest(folder: string): void {
  const files = readdirSync(folder);
  if (files.length < MOST_FILES) return;
  const byAge = files
    .map((name) => ({ file: path.join(folder, name), at: statSync(path.join(folder, name)).mtimeMs }))
    .sort((a, b) => a.at - b.at);
  for (const { file } of byAge.slice(0, files.length - MOST_FILES + 1)) rmSync(file, { force: true });
}
