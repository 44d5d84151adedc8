/**
 * Keys and values of public prefixes on disk, in the cache folder: a file by the model's fingerprint, the prefix's hash and the word.
 *
 * A file is, layer by layer, 32 bytes of SHA-256 of what follows, then the keys [prefix, kvHeads · headDim] and the values. Whoever reads
 * a layer holds its bytes against the hash. Files are written beside and renamed, so readers see whole ones; the least recently used go
 * where all together are too many bytes.
 */
import { createHash } from "node:crypto";
import { open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import path from "node:path";
import { cacheError, cacheFolder, temporaryName } from "../cache-folder.ts";
import type { FloatArray, Word } from "../tensor.ts";
import type { KeysAndValues } from "./public-prefix.ts";

/** All prefixes together on disk. */
const MOST_BYTES = 2 ** 31;
const HASH_BYTES = 32;
const WORD_BYTES = { float32: 4, float64: 8 } as const;

/** What a file holds. */
export interface PrefixFileShape {
  readonly fingerprint: string;
  /** SHA-256 (hex) of the ids. */
  readonly hash: string;
  readonly word: Word;
  /** Tokens. */
  readonly rows: number;
  /** kvHeads · headDim of each layer. */
  readonly columns: readonly number[];
}

export class PrefixFile {
  readonly path: string;
  readonly #shape: PrefixFileShape;
  readonly #mostBytes: number;

  private constructor(file: string, shape: PrefixFileShape, mostBytes: number) {
    this.path = file;
    this.#shape = shape;
    this.#mostBytes = mostBytes;
  }

  /** The file of a prefix, which need not be there. `mostBytes`: of all prefixes. Throws CacheError where the folder can't be made. */
  static async at(shape: PrefixFileShape, mostBytes = MOST_BYTES): Promise<PrefixFile> {
    const folder = await cacheFolder("prefixes");
    return new PrefixFile(path.join(folder, `${shape.fingerprint}-${shape.hash}-${shape.word}`), shape, mostBytes);
  }

  /** Is a file of the right length there? It is now the latest used. */
  async isThere(): Promise<boolean> {
    if ((await stat(this.path).catch(() => null))?.size !== this.#offset(this.#shape.columns.length)) return false;
    await utimes(this.path, new Date(), new Date()).catch(() => {});
    return true;
  }

  /** The keys and values of a layer; null where the file is not there, or not as it was written. */
  async read(layer: number): Promise<KeysAndValues | null> {
    const bytes = Buffer.allocUnsafeSlow(this.#offset(layer + 1) - this.#offset(layer));
    try {
      const handle = await open(this.path, "r");
      try {
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, this.#offset(layer));
        if (bytesRead !== bytes.length) return null;
      } finally {
        await handle.close();
      }
    } catch {
      return null;
    }
    const content = bytes.subarray(HASH_BYTES);
    if (!hashOf(content).equals(bytes.subarray(0, HASH_BYTES))) return null;
    const { rows, columns, word } = this.#shape;
    const length = rows * columns[layer];
    const data: FloatArray =
      word === "float32"
        ? new Float32Array(bytes.buffer, HASH_BYTES, 2 * length)
        : new Float64Array(bytes.buffer, HASH_BYTES, 2 * length);
    const shape = [rows, columns[layer]];
    return { k: { data: data.subarray(0, length), shape }, v: { data: data.subarray(length), shape } };
  }

  /** Writes all layers, in order, and removes what was not used for longest. Throws CacheError where it can't. */
  async write(layers: AsyncIterable<KeysAndValues>): Promise<void> {
    const temporary = temporaryName(this.path);
    try {
      const handle = await open(temporary, "w");
      try {
        for await (const { k, v } of layers) {
          const content = Buffer.concat([k, v].map(({ data }) => bytesOf(data)));
          await handle.writeFile(hashOf(content));
          await handle.writeFile(content);
        }
      } finally {
        await handle.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
      throw cacheError(this.path, "a file that can be written", error);
    }
    await this.#makeRoom();
  }

  async #makeRoom(): Promise<void> {
    const folder = path.dirname(this.path);
    const files: { file: string; size: number; usedAt: number }[] = [];
    for (const name of await readdir(folder).catch(() => [])) {
      const file = path.join(folder, name);
      const state = await stat(file).catch(() => null);
      if (state !== null) files.push({ file, size: state.size, usedAt: state.mtimeMs });
    }
    files.sort((a, b) => a.usedAt - b.usedAt);
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { file, size } of files) {
      if (bytes <= this.#mostBytes) return;
      if (file === this.path) continue; // this one is about to be read
      await rm(file, { force: true });
      bytes -= size;
    }
  }

  /** Where a layer begins. */
  #offset(layer: number): number {
    const { rows, columns, word } = this.#shape;
    return columns.slice(0, layer).reduce((sum, width) => sum + HASH_BYTES + 2 * rows * width * WORD_BYTES[word], 0);
  }
}

const hashOf = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

const bytesOf = ({ buffer, byteOffset, byteLength }: FloatArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
