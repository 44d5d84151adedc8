/** A copy of the checkout that a test may change, compile and run tests in: what a reader of docs/ADDING.md would do. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { copiedCheckout } from "../copied-checkout.ts";

/** A block of a page that goes into a file. */
export interface Step {
  readonly file: string;
  /** Text of the line that the block goes below; null: the block is the file. */
  readonly below: string | null;
  readonly block: string;
}

/** The steps that a section of docs/ADDING.md gives, in order. */
export function stepsOf(section: string): Step[] {
  const pattern = /^In `([^`]+)`, (?:below the line that has `(.+)`|a new file):\n\n```\w+\n([^]*?)^```$/gm;
  return [...section.matchAll(pattern)].map(([, file, below, block]) => ({ file, below: below ?? null, block }));
}

export interface Outcome {
  readonly failed: boolean;
  readonly output: string;
}

/** Files that no rule or example of a room reads, and that take long to copy. */
const LARGE =
  /^(models\/default\/.*\.safetensors|tests\/fixtures\/models\/.*\.safetensors|experiments\/attacks\/infill\/)/;
// With node:test's own variable, tests inside this test would run nothing and pass.
const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;

export class ScratchCheckout {
  /** Packages and large files are those of the checkout. */
  readonly #folder = copiedCheckout("weir-adding-", LARGE);
  /** What files held that were changed; null: nothing, they weren't there. */
  readonly #kept = new Map<string, string | null>();

  /** Puts every file back as it was, then takes the steps. Throws Error where a step's line isn't there, or is twice. */
  take(steps: readonly Step[]): void {
    for (const [file, text] of this.#kept)
      if (text === null) rmSync(file, { force: true });
      else writeFileSync(file, text);
    for (const { file: name, below, block } of steps) {
      const file = path.join(this.#folder, name);
      if (below === null) {
        if (!this.#kept.has(file) && existsSync(file)) throw new Error(`${name}: expected a new file, got one`);
        this.#kept.set(file, null);
        writeFileSync(file, block);
        continue;
      }
      const text = readFileSync(file, "utf8");
      if (!this.#kept.has(file)) this.#kept.set(file, text);
      const lines = text.split("\n");
      const at = lines.flatMap((line, index) => (line.includes(below) ? [index] : []));
      if (at.length !== 1) throw new Error(`${name}: expected one line that has ${below}, got ${at.length}`);
      lines.splice(at[0] + 1, 0, ...block.replace(/\n$/, "").split("\n"));
      writeFileSync(file, lines.join("\n"));
    }
  }

  /** What the compiler says of the files of `include`, and of all that they import; of the whole checkout where none are named. */
  compile(include?: readonly string[]): Promise<Outcome> {
    const config = path.join(this.#folder, "tsconfig.scratch.json");
    writeFileSync(
      config,
      JSON.stringify({ extends: "./tsconfig.json", ...(include === undefined ? {} : { include }) }),
    );
    return this.#run(["node_modules/typescript/bin/tsc", "--noEmit", "-p", config]);
  }

  /** Runs a test file, or of it what the pattern names. */
  test(file: string, pattern?: string): Promise<Outcome> {
    const named = pattern === undefined ? [] : [`--test-name-pattern=${pattern}`];
    return this.#run(["--import", "tsx", ...named, "--test", file]);
  }

  /** Runs a script of package.json whose files the steps leave alone; what it writes is undone by the next `take`. */
  script(name: string, writes: readonly string[]): Promise<Outcome> {
    const { scripts } = JSON.parse(readFileSync(path.join(this.#folder, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    for (const written of writes) {
      const file = path.join(this.#folder, written);
      if (!this.#kept.has(file)) this.#kept.set(file, readFileSync(file, "utf8"));
    }
    return this.#run(scripts[name].replace(/^node /, "").split(" "));
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #run(args: readonly string[]): Promise<Outcome> {
    return new Promise((resolve) =>
      execFile(process.execPath, args, { cwd: this.#folder, timeout: 120_000, env }, (error, stdout, stderr) =>
        resolve({ failed: error !== null, output: stdout + stderr }),
      ),
    );
  }
}
