/**
 * What a process draws, noted where keys and seeds are made (node:crypto), so that no path round the book of streams stays unseen: every
 * AES stream with the bytes that were drawn of it, and every random seed, by the party at work.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import type { ControlMessage, Endpoint } from "../../../protocols/wire/endpoint.ts";

/** One stream as one party drew it. */
export interface Draw {
  readonly party: string;
  /** Key and initial counter: what the words depend on, and all that they depend on. */
  readonly stream: string;
  /** What the key was made from, in hex; null where it is a text, and so no secret. */
  readonly seed: string | null;
  readonly purpose: string;
  /** Words are drawn from the beginning: [0, bytes). */
  bytes: number;
}

/** Random bytes as a party got them from the system, in hex. */
export interface FreshBytes {
  readonly party: string;
  readonly bytes: string;
}

type Seeding = Readonly<Pick<Draw, "seed" | "purpose">>;

export class DrawLog {
  readonly draws: Draw[] = [];
  readonly fresh: FreshBytes[] = [];
  readonly #party = new AsyncLocalStorage<string>();
  readonly #seedings = new Map<string, Seeding>();

  /** Notes all draws while `work` runs as `party`. */
  async during<T>(party: string, work: () => Promise<T>): Promise<T> {
    const { createHash, createCipheriv, randomBytes } = crypto;
    const patched = {
      createHash: (algorithm: string) => this.#noteHash(createHash(algorithm)),
      createCipheriv: (algorithm: string, key: Buffer, counter: Buffer) =>
        this.#noteCipher(createCipheriv(algorithm, key, counter), key, counter),
      randomBytes: (size: number) => {
        const bytes = randomBytes(size);
        this.fresh.push({ party: this.#at(), bytes: bytes.toString("hex") });
        return bytes;
      },
    };
    Object.assign(crypto, patched);
    syncBuiltinESMExports();
    try {
      return await this.#party.run(party, work);
    } finally {
      Object.assign(crypto, { createHash, createCipheriv, randomBytes });
      syncBuiltinESMExports();
    }
  }

  /** Puts a node's work under its own name: what follows from a control message, it does. */
  readonly wrap = (endpoint: Endpoint): Endpoint =>
    new Proxy(endpoint, {
      get: (target, name) => {
        if (name === "onControl")
          return (handler: (peer: string, message: ControlMessage) => void) =>
            target.onControl((peer, message) => this.#party.run(target.party, () => handler(peer, message)));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });

  #at(): string {
    return this.#party.getStore() ?? "nobody";
  }

  /** A generator's key is the hash of its seed, a zero and its purpose. */
  #noteHash(hash: crypto.Hash): crypto.Hash {
    const parts: (string | Uint8Array)[] = [];
    const update = hash.update.bind(hash);
    const digest = hash.digest.bind(hash) as () => Buffer;
    return Object.assign(hash, {
      update: (data: string | Uint8Array) => {
        if (parts.length < 4) parts.push(typeof data === "string" ? data : Uint8Array.from(data));
        return update(data);
      },
      digest: (encoding?: crypto.BinaryToTextEncoding) => {
        const made = digest();
        const [seed, zero, purpose, more] = parts;
        if (zero === "\0" && typeof purpose === "string" && more === undefined)
          this.#seedings.set(made.toString("hex"), {
            seed: typeof seed === "string" ? null : Buffer.from(seed).toString("hex"),
            purpose,
          });
        return encoding === undefined ? made : made.toString(encoding);
      },
    });
  }

  #noteCipher(cipher: crypto.Cipher, key: Buffer, counter: Buffer): crypto.Cipher {
    const stream = Buffer.concat([key, counter]).toString("hex");
    // A key that is made otherwise is a secret of unknown origin.
    const { seed, purpose } = this.#seedings.get(stream) ?? { seed: "unknown", purpose: "unknown" };
    const draw: Draw = { party: this.#at(), stream, seed, purpose, bytes: 0 };
    this.draws.push(draw);
    const update = cipher.update.bind(cipher) as (data: Uint8Array) => Buffer;
    return Object.assign(cipher, {
      update: (data: Uint8Array) => {
        draw.bytes += data.length;
        return update(data);
      },
    });
  }
}
