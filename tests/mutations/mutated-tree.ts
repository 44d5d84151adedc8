/** A copy of the checkout in which tests run against changed files. */
import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { copiedCheckout } from "../copied-checkout.ts";
import type { Edit } from "./mutations.ts";

const DEADLINE_MS = 120_000;

/** What became of the tests of one name in a file. */
export interface TestResult {
  readonly outcome: "passed" | "failed" | "not run" | "no end";
  /** The first line of the first failure. */
  readonly reason: string;
  readonly output: string;
}

export class MutatedTree {
  readonly #folder = copiedCheckout("weir-mutations-");

  /** Applies edits, gives the tree to `use`, and takes them back. Throws Error for a text that is not in its file once. */
  async with<T>(edits: readonly Edit[], use: () => Promise<T>): Promise<T> {
    const files = [...new Set(edits.map(({ file }) => file))];
    const before = files.map((file) => readFileSync(path.join(this.#folder, file), "utf8"));
    try {
      for (const edit of edits) {
        const at = path.join(this.#folder, edit.file);
        writeFileSync(at, edited(readFileSync(at, "utf8"), edit));
      }
      return await use();
    } finally {
      files.forEach((file, index) => writeFileSync(path.join(this.#folder, file), before[index]));
    }
  }

  /** Runs the tests of a file that have one of these names; what became of each name. */
  async run(file: string, names: readonly string[]): Promise<ReadonlyMap<string, TestResult>> {
    const patterns = names.map((name) => `--test-name-pattern=${name.replaceAll(/[/.*+?^${}()|[\]\\]/g, "\\$&")}`);
    const loaders = ["--import", "tsx", "--import", "./tests/fast-check-seed.ts"];
    const child = spawn(process.execPath, [...loaders, "--test", "--test-reporter=tap", ...patterns, file], {
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, DEADLINE_MS);
    await new Promise((resolve) => child.on("close", resolve));
    clearTimeout(timer);
    return new Map(
      names.map((name) => [name, isLate ? { outcome: "no end", reason: "", output } : read(output, name)]),
    );
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** The text with the edit in it. Throws Error where the edit's text is not there once. */
export function edited(text: string, { file, text: wanted, replacement }: Edit): string {
  const parts = text.split(wanted);
  if (parts.length !== 2)
    throw new Error(`${file}: expected once ${JSON.stringify(wanted)}, got it ${parts.length - 1} times`);
  return parts.join(replacement);
}

/** From TAP: "ok 1 - NAME", "not ok 2 - NAME", with " # SKIP" where a pattern left it out; a failure's error follows. */
function read(output: string, name: string): TestResult {
  const results = [...output.matchAll(/^\s*(not ok|ok) \d+ - (.*)$/gm)].filter(
    ([, , rest]) => rest.replaceAll("\\#", "#") === name,
  );
  if (results.length === 0) return { outcome: "not run", reason: "", output };
  const failure = results.find(([, result]) => result === "not ok");
  if (failure === undefined) return { outcome: "passed", reason: "", output };
  const [, quoted = "", first = ""] = /^\s*error: (?:(["'].*)|\|-?\n\s*(.*))$/m.exec(output.slice(failure.index)) ?? [];
  return { outcome: "failed", reason: quoted || first, output };
}
