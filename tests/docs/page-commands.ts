/** The pages of the documentation, the commands in them, and a test that runs those of some pages as a reader would. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";

export const CHECKOUT = path.resolve(import.meta.dirname, "../..");
export const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(path.join(CHECKOUT, "docs")).map((name) => `docs/${name}`),
].filter((name) => name.endsWith(".md"));
export const textOf = (page: string): string => readFileSync(path.join(CHECKOUT, page), "utf8");

/** Commands of the blocks marked sh alone; a block that isn't to be run must say why after norun. */
export function commandsOf(page: string): string[] {
  const commands: string[] = [];
  for (const [, info, body] of textOf(page).matchAll(/^```([^\n]*)\n([^]*?)^```$/gm)) {
    if (!info.startsWith("sh")) continue;
    assert.match(info, /^sh( norun .+)?$/, `${page}: expected sh or sh norun REASON, got ${info}`);
    if (info === "sh") commands.push(...body.split("\n").filter((line) => line.trim() !== ""));
  }
  return commands;
}

// With node:test's own variable, an npm test inside this test would run nothing and pass.
const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;

/** Of one command: on a busy machine each may take long, and none takes the time of another. */
const COMMAND_TIMEOUT_MS = 120_000;

function run(command: string): Promise<{ failed: boolean; output: string }> {
  return new Promise((resolve) =>
    execFile("bash", ["-c", command], { cwd: CHECKOUT, timeout: COMMAND_TIMEOUT_MS, env }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, output: stdout + stderr }),
    ),
  );
}

/** Runs the commands of the pages that `chosen` takes, a test each; a command that stands in several pages runs once in all. */
export function testCommands(chosen: (page: string) => boolean): void {
  const pageOf = new Map(PAGES.toReversed().flatMap((page) => commandsOf(page).map((command) => [command, page])));
  describe("commands of the documentation", () => {
    for (const [command, page] of pageOf)
      if (chosen(page))
        it(`${page}: ${command}`, async () => {
          const { failed, output } = await run(command);
          assert.equal(failed, false, output);
        });
  });
}
