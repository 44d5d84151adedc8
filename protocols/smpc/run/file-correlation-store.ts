import { createHash } from "node:crypto";
import { link, mkdir, open, readFile, rename, truncate, unlink } from "node:fs/promises";
import path from "node:path";
import {
  checkLabel,
  CorrelationError,
  secondError,
  unknownError,
  usedError,
  type BatchLabel,
  type CorrelationStore,
} from "./correlation-store.ts";

/** Bytes of the label before the words: JSON, padded with spaces. */
const LABEL_BYTES = 1024;

/**
 * Batches as files in a folder of this party's own, for correlations that are dealt ahead of time. NAME.batch waits, NAME.used was used
 * and holds its label alone; NAME is a hash of the batch's name. Using is one rename, so it survives a restart and happens once even if
 * two processes race for it.
 */
export class FileCorrelationStore implements CorrelationStore {
  readonly #folder: string;

  /** `folder` is made when it isn't there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(label: BatchLabel, words: Uint8Array): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const header = Buffer.alloc(LABEL_BYTES, " ");
    const text = JSON.stringify({ ...label, bytes: words.length });
    if (Buffer.byteLength(text) > LABEL_BYTES)
      throw new CorrelationError(
        `batch ${label.batch.slice(0, 60)}...: expected a shorter name, got ${text.length} bytes`,
      );
    header.write(text);
    const partial = `${this.#file(label.batch, "batch")}.${process.pid}.partial`;
    const file = await open(partial, "w", 0o600);
    try {
      await file.writev([header, words]);
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      if (await exists(this.#file(label.batch, "used"))) throw secondError(label.batch);
      await link(partial, this.#file(label.batch, "batch")); // unlike rename, refuses to replace one
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "EEXIST" ? secondError(label.batch) : error;
    } finally {
      await unlink(partial);
    }
  }

  async take(wanted: BatchLabel): Promise<Uint8Array> {
    const [waiting, used] = [this.#file(wanted.batch, "batch"), this.#file(wanted.batch, "used")];
    const absent = async (): Promise<CorrelationError> =>
      (await exists(used)) ? usedError(wanted.batch) : unknownError(wanted.batch);
    const label = await readLabel(waiting);
    if (label === null) throw await absent();
    checkLabel(label, wanted);
    try {
      await rename(waiting, used);
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === "ENOENT" ? await absent() : error;
    }
    await syncFolder(this.#folder); // used, whatever happens to this machine now
    const whole = await readFile(used);
    await truncate(used, LABEL_BYTES);
    const words = whole.subarray(LABEL_BYTES);
    if (words.length !== label.bytes)
      throw new CorrelationError(`batch ${wanted.batch}: expected ${label.bytes} bytes, got ${words.length}`);
    return words;
  }

  #file(batch: string, state: "batch" | "used"): string {
    return path.join(this.#folder, `${createHash("sha256").update(batch).digest("hex").slice(0, 32)}.${state}`);
  }
}

async function readLabel(file: string): Promise<(BatchLabel & { readonly bytes: number }) | null> {
  let handle;
  try {
    handle = await open(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LABEL_BYTES), 0, LABEL_BYTES, 0);
    return JSON.parse(buffer.subarray(0, bytesRead).toString()) as BatchLabel & { bytes: number };
  } catch (error) {
    throw new CorrelationError(`batch file ${path.basename(file)}: expected a label, got ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
}

async function exists(file: string): Promise<boolean> {
  const handle = await open(file).catch(() => null);
  await handle?.close();
  return handle !== null;
}

/** A rename is on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
