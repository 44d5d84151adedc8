import { ModelFileError, printable } from "../model-file-error.ts";
import type { GgufValue } from "../weights/gguf-header.ts";

/** Values of tokenizer.ggml.token_type. */
export const TOKEN_TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** The keys tokenizer.ggml.* of a GGUF file, read by type. */
export class GgufVocabulary {
  readonly tokens: readonly string[];
  readonly #types: Int32Array | undefined;
  readonly #file: string;
  readonly #metadata: ReadonlyMap<string, GgufValue>;

  /** @throws ModelFileError where there are no tokens, one comes twice, or their types are those of others. */
  constructor(file: string, metadata: ReadonlyMap<string, GgufValue>) {
    this.#file = file;
    this.#metadata = metadata;
    this.tokens = this.strings("tokens");
    if (this.tokens.length === 0) throw this.fault("tokens", "an array of strings", "none");
    const seen = new Set<string>();
    for (const token of this.tokens) {
      if (seen.has(token)) throw this.fault("tokens", "every token once", token);
      seen.add(token);
    }
    const types = this.value("token_type");
    if (types !== undefined && !(types instanceof Int32Array && types.length === this.tokens.length)) {
      throw this.fault("token_type", `${this.tokens.length} values of int32, one a token`, typeof types);
    }
    this.#types = types;
  }

  fault(key: string, expected: string, got: unknown): ModelFileError {
    return new ModelFileError(this.#file, `tokenizer.ggml.${key}: expected ${expected}, got ${printable(got)}`);
  }

  value(key: string): GgufValue | undefined {
    return this.#metadata.get(`tokenizer.ggml.${key}`);
  }

  /** @throws ModelFileError where the key isn't an array of strings. */
  strings(key: string): readonly string[] {
    const value = this.value(key);
    if (!Array.isArray(value) || (value.length > 0 && typeof value[0] !== "string")) {
      throw this.fault(key, "an array of strings", value === undefined ? undefined : typeof value);
    }
    return value as readonly string[];
  }

  typeOf(id: number): number {
    return this.#types?.[id] ?? TOKEN_TYPE.normal;
  }

  /** The id that a key names; undefined where there is no such key. @throws ModelFileError for an id that no token has. */
  id(key: string): number | undefined {
    const id = this.value(key);
    if (id === undefined) return undefined;
    if (typeof id !== "number" || this.tokens[id] === undefined) {
      throw this.fault(key, `an id below ${this.tokens.length}`, String(id));
    }
    return id;
  }

  /** A key that is true or false. */
  switch(key: string, otherwise: boolean): boolean {
    const on = this.value(key) ?? otherwise;
    if (typeof on !== "boolean") throw this.fault(key, "a boolean", typeof on);
    return on;
  }
}
