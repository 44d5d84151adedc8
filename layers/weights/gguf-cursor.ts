import { ModelFileError, printable } from "../model-file-error.ts";
import type { ModelFile } from "./byte-range.ts";

/** Header bytes are read in windows of this size. */
const WINDOW_BYTES = 1 << 20;
/** The largest GGUF header: those of models with 256 000 tokens have some 16 MB. */
const MAX_HEADER_BYTES = 128 << 20;

/** Reads the little-endian values of a GGUF header one after the other; never past the end of the file. */
export class GgufCursor {
  readonly #file: ModelFile;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** The file's bytes [windowStart, windowStart + window.length). */
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #at = 0;

  constructor(file: ModelFile) {
    this.#file = file;
  }

  /** Place in the file of the next value. */
  get at(): number {
    return this.#at;
  }

  fault(text: string): ModelFileError {
    return new ModelFileError(this.#file.path, `GGUF at byte ${this.#at}: ${text}`);
  }

  /**
   * Declares that `bytes` bytes of `what` follow.
   * @throws ModelFileError where they would pass the end of the file or of what a header may take; before anything is allocated.
   */
  expectBytes(bytes: number, what: string): void {
    const left = Math.min(this.#file.size, MAX_HEADER_BYTES) - this.#at;
    if (bytes > left) {
      const end = this.#file.size > MAX_HEADER_BYTES ? "a header may have" : "the file has";
      throw this.fault(`${what}: expected ${bytes} bytes, got the ${left} that ${end} left`);
    }
  }

  /** Offset within the window of `bytes` bytes, which the cursor then passes. */
  #take(bytes: number, what: string): number {
    const end = this.#windowStart + this.#window.length;
    if (this.#at + bytes > end) {
      this.expectBytes(bytes, what);
      const length = Math.min(Math.max(bytes, WINDOW_BYTES), this.#file.size - this.#at);
      this.#window = Buffer.alloc(length);
      this.#file.readIntoNow(this.#at, this.#window);
      this.#windowStart = this.#at;
    }
    const from = this.#at - this.#windowStart;
    this.#at += bytes;
    return from;
  }

  /** The next `bytes` bytes; valid until the next read. */
  bytes(bytes: number, what: string): Buffer {
    const from = this.#take(bytes, what);
    return this.#window.subarray(from, from + bytes);
  }

  uint32(what: string): number {
    return this.#window.readUInt32LE(this.#take(4, what));
  }

  /** A 64-bit count or size that must be at most `most`. */
  count(most: number, what: string): number {
    const value = this.uint64(what);
    if (value > BigInt(most)) throw this.fault(`${what}: expected at most ${most}, got ${value}`);
    return Number(value);
  }

  uint64(what: string): bigint {
    const from = this.#take(8, what);
    return this.#window.readBigUInt64LE(from);
  }

  /** A string: 64-bit length, at most `most` bytes of UTF-8. */
  string(most: number, what: string): string {
    const from = this.#take(8, what);
    const length = this.#window.readUInt32LE(from);
    if (this.#window.readUInt32LE(from + 4) !== 0 || length > most) {
      const got = this.#window.readBigUInt64LE(from);
      throw this.fault(`${what}: expected a string of at most ${most} bytes, got ${got}`);
    }
    const start = this.#take(length, what);
    const bytes = this.#window.subarray(start, start + length);
    try {
      return this.#text.decode(bytes);
    } catch {
      throw this.fault(`${what}: expected UTF-8, got ${printable(bytes.toString("latin1"))}`);
    }
  }
}
