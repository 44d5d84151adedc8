import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";

const SCRIPT = path.resolve(import.meta.dirname, "../fixtures/tokenizers/oracle.py");

/** What the Rust original answers for a tokenizer; `error` where it refuses it or panics. */
export interface RustAnswer {
  readonly error?: string;
  /** [texts][tokens], with special tokens and without. */
  readonly ids: readonly (readonly number[])[];
  readonly plain: readonly (readonly number[])[];
  /** Texts of the runs of ids, with special tokens and without. */
  readonly decoded: readonly string[];
  readonly skipped: readonly string[];
}

/** Hugging Face's Rust tokenizers, through a Python that has them: tests/fixtures/tokenizers/oracle.py. */
export class RustTokenizers {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly version: string;

  private constructor(child: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, version: string) {
    this.#process = child;
    this.#lines = lines;
    this.version = version;
  }

  /** @throws Error where `python` can't be run or has no tokenizers. */
  static async start(python: string): Promise<RustTokenizers> {
    const child = spawn(python, [SCRIPT]);
    let said = "";
    // Panics of Rust are written there, one for each.
    child.stderr.on("data", (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (first.done) throw new Error(`${python}: expected one with the package tokenizers, got ${said}`);
    return new RustTokenizers(child, lines, (JSON.parse(first.value) as { version: string }).version);
  }

  /** Of one tokenizer, given as the object of its tokenizer.json. */
  async ask(
    tokenizer: object,
    texts: readonly string[],
    runs: readonly (readonly number[])[] = [],
  ): Promise<RustAnswer> {
    this.#process.stdin.write(`${JSON.stringify({ tokenizer, texts, runs })}\n`);
    const line = await this.#lines.next();
    if (line.done) throw new Error("the Rust original: expected an answer, got the end of its process");
    return JSON.parse(line.value) as RustAnswer;
  }

  close(): void {
    this.#process.stdin.end();
  }
}
