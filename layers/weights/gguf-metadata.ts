import { ModelFileError, printable } from "../model-file-error.ts";
import type { GgufValue } from "./gguf-header.ts";

/** Largest size that a metadata key may state: above any model's, and small enough that no allocation by it is absurd. */
const MAX_SIZE = 1_000_000_000;

/** Reads the keys `prefix.*` of GGUF metadata by type, and knows which ones nobody has asked for. */
export class GgufMetadataReader {
  readonly #file: string;
  readonly #metadata: ReadonlyMap<string, GgufValue>;
  readonly #prefix: string;
  readonly #read = new Set<string>();

  constructor(file: string, metadata: ReadonlyMap<string, GgufValue>, prefix: string) {
    this.#file = file;
    this.#metadata = metadata;
    this.#prefix = prefix;
  }

  fault(key: string, expected: string, value: GgufValue | undefined): ModelFileError {
    const got =
      value === undefined
        ? "nothing"
        : printable(ArrayBuffer.isView(value) ? Array.from(value as Uint8Array).slice(0, 16) : value);
    return new ModelFileError(this.#file, `${this.#prefix}.${key}: expected ${expected}, got ${got}`);
  }

  /** The value of a key, marked as read. */
  value(key: string): GgufValue | undefined {
    this.#read.add(key);
    return this.#metadata.get(`${this.#prefix}.${key}`);
  }

  /** A positive integer. @throws ModelFileError where the key is absent or something else. */
  size(key: string): number {
    const value = this.value(key);
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > MAX_SIZE) {
      throw this.fault(key, `an integer of 1 to ${MAX_SIZE}`, value);
    }
    return value;
  }

  optionalSize(key: string): number | undefined {
    return this.value(key) === undefined ? undefined : this.size(key);
  }

  /** A size that may be stated layer by layer, the same for all. */
  uniformSize(key: string): number | undefined {
    const value = this.value(key);
    if (!ArrayBuffer.isView(value)) return this.optionalSize(key);
    const sizes = Array.from(value as Int32Array, Number);
    if (sizes.length === 0 || sizes.some((size) => size !== sizes[0] || !Number.isInteger(size) || size < 1)) {
      throw this.fault(key, "one size for all layers", value);
    }
    return sizes[0];
  }

  optionalPositive(key: string): number | undefined {
    const value = this.value(key);
    if (value !== undefined && !(typeof value === "number" && value > 0 && Number.isFinite(value))) {
      throw this.fault(key, "a positive number", value);
    }
    return value;
  }

  /** A key that must be absent or have one of these values, as it would change the result. */
  mustBe(key: string, ...allowed: readonly GgufValue[]): void {
    const value = this.value(key);
    if (value !== undefined && !allowed.includes(value)) {
      throw this.fault(key, `${allowed.map(printable).join(" or ")} (nothing else is supported)`, value);
    }
  }

  /** Marks keys that don't touch the result. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** @throws ModelFileError naming a key of the prefix that nobody has read: it might change the result. */
  refuseOthers(): void {
    for (const [key, value] of this.#metadata) {
      if (!key.startsWith(`${this.#prefix}.`)) continue;
      const rest = key.slice(this.#prefix.length + 1);
      if (!this.#read.has(rest))
        throw this.fault(rest, "a key that weir knows, since others might change the result", value);
    }
  }
}
