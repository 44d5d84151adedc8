/**
 * The secret sums of a model's matrices between runs: reading all weights for them takes seconds.
 *
 * Functionality: a seed of the secret vectors and the sums under it, in the cache folder. Parties: the client alone; the files are readable
 *   to its user only, and whoever reads them can answer wrongly unseen; a seed that others may have read or put there isn't used. Leaks: nothing else. Assumes: a client whose files are its own.
 * Cost: none on the wire. Error bound: none. Reference: answer-check.ts. Test: tests/protocols/smpc/kept-checks.test.ts
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { cacheFolder, temporaryName } from "../../../layers/cache-folder.ts";
import { warn } from "../../../layers/warning.ts";
import type { WeightedModel } from "../factors/layer-weights.ts";
import { SEED_BYTES } from "../run/share-rows.ts";

const DIGEST_BYTES = 32;
const OWN_FILE = 0o600;
const OWN_FOLDER = 0o700;

export class KeptChecks {
  /** Of the secret vectors. */
  readonly seed: Uint8Array;
  /** null: nothing is kept, as of a model that is made up. */
  readonly #folder: string | null;

  private constructor(seed: Uint8Array, folder: string | null) {
    this.seed = seed;
    this.#folder = folder;
  }

  /** What is kept of a model, or a new seed. Throws CacheError. */
  static async open(
    model: WeightedModel & { readonly source?: { readonly files: readonly unknown[] } },
  ): Promise<KeptChecks> {
    if ((model.source?.files.length ?? 0) === 0) return new KeptChecks(randomBytes(SEED_BYTES), null);
    const folder = path.join(await cacheFolder("checks"), model.fingerprint);
    await mkdir(folder, { recursive: true, mode: OWN_FOLDER });
    const file = path.join(folder, "seed");
    // Whoever comes first draws it, and all others take that one.
    await writeFile(file, randomBytes(SEED_BYTES), { mode: OWN_FILE, flag: "wx" }).catch(() => {});
    const others = (await isForOthers(folder)) ? folder : (await isForOthers(file)) ? file : null;
    if (others !== null)
      warn(
        `cache ${others}: expected secret sums that are this user's alone, got ones that others have or may have read or written; they aren't used. Remove the folder`,
      );
    const seed = others === null ? await readFile(file).catch(() => null) : null;
    return seed?.length === SEED_BYTES ? new KeptChecks(seed, folder) : new KeptChecks(randomBytes(SEED_BYTES), null);
  }

  /** The `count` sums of a group of matrices; null: none are kept, or damaged ones. */
  async read(name: string, count: number): Promise<Float64Array | null> {
    if (this.#folder === null) return null;
    const bytes = await readFile(this.#file(this.#folder, name)).catch(() => null);
    if (bytes?.length !== DIGEST_BYTES + 8 * count) return null;
    const data = bytes.subarray(DIGEST_BYTES);
    if (!timingSafeEqual(this.#digest(name, data), bytes.subarray(0, DIGEST_BYTES))) return null;
    return new Float64Array(Uint8Array.from(data).buffer);
  }

  /** Keeps sums; a folder that can't be written keeps none. */
  async write(name: string, { buffer, byteOffset, byteLength }: Float64Array): Promise<void> {
    if (this.#folder === null) return;
    const data = new Uint8Array(buffer, byteOffset, byteLength);
    const file = this.#file(this.#folder, name);
    const temporary = temporaryName(file);
    try {
      await writeFile(temporary, Buffer.concat([this.#digest(name, data), data]), { mode: OWN_FILE });
      await rename(temporary, file);
    } catch {
      await rm(temporary, { force: true });
    }
  }

  /** Removes the seed and all sums under it. */
  async forget(): Promise<void> {
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
  }

  #file(folder: string, name: string): string {
    return path.join(folder, `${createHmac("sha256", this.seed).update(name).digest("hex").slice(0, 32)}.bin`);
  }

  #digest(name: string, data: Uint8Array): Buffer {
    return createHmac("sha256", this.seed).update(`${name.length} ${name}`).update(data).digest();
  }
}

/** Is a file or folder another user's, a link, or open to others? On systems without users there is nobody else; what isn't there is nobody's. */
async function isForOthers(where: string): Promise<boolean> {
  if (process.getuid === undefined) return false;
  const found = await lstat(where).catch(() => null);
  if (found === null) return false;
  return found.isSymbolicLink() || found.uid !== process.getuid() || (found.mode & 0o077) !== 0;
}
