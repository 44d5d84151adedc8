import { createCipheriv, createHash, type Cipher } from "node:crypto";
import { ring } from "./ring.ts";
import type { PackedWords, Words } from "./words.ts";

/** Bytes drawn from the cipher at a time: large enough to amortise the call, small enough for a short draw. */
const BLOCK_BYTES = 4096;
/** Words that are unpacked at a time. */
const PIECE_WORDS = 8192;
/** What is encrypted: as much at a time as stays in the processor's cache. */
const ZEROS = new Uint8Array(2 ** 16);

/**
 * A seeded stream of uniform words: AES-128-CTR over zeros, keyed by (seed, purpose), so that streams with different purposes are
 * independent and every stream can be drawn again from its seed.
 */
export class Generator {
  readonly #cipher: Cipher;
  #block = new DataView(new ArrayBuffer(0));
  #offset = 0;
  /** The last byte that was drawn, and how many of its bits (the high ones) are still to be read. */
  #spareByte = 0;
  #spareBits = 0;
  /** Where packed words lie until the next ones are drawn: fresh memory for all of them would keep the garbage collector busy. */
  #packed = new Uint8Array(0);

  /** `seed` is any string or bytes; `purpose` names the use ("sampling/step 3"). */
  constructor(seed: string | Uint8Array, purpose: string) {
    const key = createHash("sha256").update(seed).update("\0").update(purpose).digest();
    this.#cipher = createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16, 32));
  }

  /** The next uniform word in [0, 2^32). */
  nextUint32(): number {
    if (this.#offset + 4 > this.#block.byteLength) {
      const bytes = this.#cipher.update(ZEROS.subarray(0, BLOCK_BYTES));
      this.#block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#offset = 0;
    }
    const word = this.#block.getUint32(this.#offset, true);
    this.#offset += 4;
    return word;
  }

  /** The next uniform number in [0, 1) with 53 random bits. */
  nextUnit(): number {
    const high = this.nextUint32() >>> 5; // 27 bits
    const low = this.nextUint32() >>> 6; // 26 bits
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** The next `length` bytes of the stream. Not to be mixed with the single draws above. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.fillBytes(bytes);
    return bytes;
  }

  /** Fills `out` with the next bytes of the stream. Not to be mixed with other draws. */
  fillBytes(out: Uint8Array): void {
    for (let at = 0; at < out.length; at += ZEROS.length) {
      const end = Math.min(out.length, at + ZEROS.length);
      out.set(this.#cipher.update(end - at === ZEROS.length ? ZEROS : ZEROS.subarray(0, end - at)), at);
    }
  }

  /**
   * Fills `out` with the next words of `bits` bits, read from the stream without gaps: pieces of any size give the same words as one
   * whole. Not to be mixed with other draws or other widths.
   */
  fillWords(out: Words, bits: number): void {
    for (let from = 0; from < out.length; from += PIECE_WORDS) {
      const piece = out.length <= PIECE_WORDS ? out : out.subarray(from, from + PIECE_WORDS);
      const { bytes, bitOffset } = this.packedWords(piece.length, bits);
      ring.unpack(piece, bytes, bits, bitOffset);
    }
  }

  /** The next `count` words as fillWords would draw them, still packed: they stay there until the next draw. */
  packedWords(count: number, bits: number): PackedWords {
    const needed = count * bits - this.#spareBits;
    const spare = this.#spareBits === 0 ? 0 : 1;
    const fresh = Math.max(0, Math.ceil(needed / 8));
    if (this.#packed.length < spare + fresh) this.#packed = new Uint8Array(spare + fresh);
    const bytes = this.#packed.subarray(0, spare + fresh);
    const bitOffset = spare === 0 ? 0 : 8 - this.#spareBits;
    if (spare === 1) bytes[0] = this.#spareByte;
    this.fillBytes(spare === 0 ? bytes : bytes.subarray(1));
    if (fresh > 0) this.#spareByte = bytes[bytes.length - 1];
    this.#spareBits = fresh * 8 - needed;
    return { bytes, bitOffset };
  }
}
