import { open, stat } from "node:fs/promises";
import { readSync } from "node:fs";
import { endianness } from "node:os";
import { ModelFileError } from "../model-file-error.ts";

/** A regular file that is read by byte range; every read gives exactly the bytes that were asked for, or throws ModelFileError. */
export interface ModelFile {
  readonly path: string;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** A fresh buffer (at the start of its ArrayBuffer, so any typed array can view it) with the bytes [from, from + length). */
  read(from: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  readInto(from: number, target: Uint8Array): Promise<void>;
  /** The blocking form, for headers that are parsed value by value. */
  readIntoNow(from: number, target: Uint8Array): void;
  close(): Promise<void>;
}

/** Node refuses longer single reads. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Opens a regular file for reads by byte range.
 * @throws ModelFileError where there is no such file, it can't be read, or it is no regular file (a folder, a pipe).
 */
export async function openModelFile(path: string): Promise<ModelFile> {
  if (endianness() !== "LE") throw new Error("weights: expected a little-endian machine, got a big-endian one");
  try {
    // Before `open`, which would wait for ever on a pipe without a writer.
    if (!(await stat(path)).isFile())
      throw new ModelFileError(path, "expected a regular file, got a folder or a device");
    const handle = await open(path, "r");
    const { size } = await handle.stat();
    const past = (end: number): never => {
      throw new ModelFileError(
        path,
        `truncated: expected at least ${end} bytes, got fewer (${size} when it was opened)`,
      );
    };
    const file: ModelFile = {
      path,
      size,
      async read(from, length) {
        if (from + length > size) past(from + length);
        const bytes = new Uint8Array(length);
        await file.readInto(from, bytes);
        return bytes;
      },
      async readInto(from, target) {
        for (let done = 0; done < target.length;) {
          const length = Math.min(target.length - done, MAX_READ_BYTES);
          const { bytesRead } = await handle.read(target, done, length, from + done);
          if (bytesRead === 0) past(from + target.length);
          done += bytesRead;
        }
      },
      readIntoNow(from, target) {
        for (let done = 0; done < target.length;) {
          const bytesRead = readSync(handle.fd, target, done, target.length - done, from + done);
          if (bytesRead === 0) past(from + target.length);
          done += bytesRead;
        }
      },
      close: () => handle.close(),
    };
    return file;
  } catch (cause) {
    throw asModelFileError(path, cause);
  }
}

/** A system error (ENOENT, EACCES, ...) as a ModelFileError that says what to do; a ModelFileError as it is. */
export function asModelFileError(path: string, cause: unknown): unknown {
  if (cause instanceof ModelFileError) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new ModelFileError(path, "expected a file, got none there; check the path", { cause });
  }
  if (typeof code === "string")
    return new ModelFileError(path, `expected a file that can be read, got ${code}`, { cause });
  return cause;
}
