/** A file of a model (weights, config, tokenizer) that can't be used: malformed, truncated, or of a kind that isn't supported. */
export class ModelFileError extends Error {
  override readonly name: string = "ModelFileError";
  /** Path of the file, as the reader was given it. */
  readonly file: string;

  /** @param fault what is wrong, as `what: expected X, got Y`; the message is `file: fault`. */
  constructor(file: string, fault: string, options?: ErrorOptions) {
    super(`${file}: ${fault}`, options);
    this.file = file;
  }
}

/** A value from a file, made safe to print: as JSON (so text is quoted and control characters are escaped), 80 characters at most. */
export function printable(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  // TypeScript has it as a string, but undefined gives undefined.
  const text = (JSON.stringify(value) as string | undefined) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
