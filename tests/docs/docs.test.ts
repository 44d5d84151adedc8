/** The documentation is true: its commands run, its tables are the code's. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { attentionPassCost } from "../../protocols/cascade/attention-pass.ts";
import { inputCost, outputCost } from "../../protocols/cascade/edges.ts";
import { handOverCost } from "../../protocols/smpc/hand-over.ts";
import { seedCost } from "../../protocols/fusion/session-dealer.ts";
import { inputShareCost } from "../../protocols/smpc/share-rows.ts";
import { postPassCost } from "../../protocols/cascade/post-pass.ts";
import { prePassCost } from "../../protocols/cascade/pre-pass.ts";
import { DEFAULT_LIMITS } from "../../protocols/wire/limits.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(path.join(CHECKOUT, "docs")).map((name) => `docs/${name}`),
].filter((name) => name.endsWith(".md"));
const textOf = (page: string): string => readFileSync(path.join(CHECKOUT, page), "utf8");

/** Commands of the blocks marked sh alone; a block that isn't to be run must say why after norun. */
function commandsOf(page: string): string[] {
  const commands: string[] = [];
  for (const [, info, body] of textOf(page).matchAll(/^```([^\n]*)\n([^]*?)^```$/gm)) {
    if (!info.startsWith("sh")) continue;
    assert.match(info, /^sh( norun .+)?$/, `${page}: expected sh or sh norun REASON, got ${info}`);
    if (info === "sh") commands.push(...body.split("\n").filter((line) => line.trim() !== ""));
  }
  return commands;
}

/** Rows of all tables of a page, cells without code marks. */
const rowsOf = (page: string): string[][] =>
  textOf(page)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );

// With node:test's own variable, an npm test inside this test would run nothing and pass.
const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;

function run(command: string): Promise<{ failed: boolean; output: string }> {
  return new Promise((resolve) =>
    execFile("bash", ["-c", command], { cwd: CHECKOUT, timeout: 60_000, env }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, output: stdout + stderr }),
    ),
  );
}

describe("documentation", () => {
  // A command that stands in several pages runs once.
  const pageOf = new Map(PAGES.toReversed().flatMap((page) => commandsOf(page).map((command) => [command, page])));
  for (const [command, page] of pageOf)
    it(`${page}: ${command}`, async () => {
      const { failed, output } = await run(command);
      assert.equal(failed, false, output);
    });

  it("has commands that run", () => {
    assert.ok(commandsOf("README.md").length > 0);
  });

  it("links to files that are there", () => {
    for (const page of PAGES)
      for (const [, target] of textOf(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        assert.doesNotThrow(
          () => readFileSync(path.join(CHECKOUT, path.dirname(page), target)),
          `${page}: expected a file at ${target}`,
        );
  });

  it("declares the costs of the code", () => {
    const declared = {
      input: inputCost,
      "pre-pass": prePassCost,
      "attention-pass": attentionPassCost,
      "post-pass": postPassCost,
      output: outputCost,
      "deal, once a session": seedCost,
      "share, a run of layers": inputShareCost,
      "handover, a run of layers": handOverCost,
    };
    const rows = rowsOf("docs/protocol.md");
    for (const [phase, cost] of Object.entries(declared))
      assert.deepEqual(
        rows.find((row) => row[0] === phase),
        [phase, cost.payloadBytes, cost.messages, cost.rounds, cost.multiplyAdds],
      );
  });

  it("gives the limits of the code", () => {
    const rows = rowsOf("docs/wire.md").filter((row) => Object.hasOwn(DEFAULT_LIMITS, row[0]));
    assert.deepEqual(
      Object.fromEntries(rows.map(([name, value]) => [name, Number(value.replaceAll(",", ""))])),
      DEFAULT_LIMITS,
    );
  });
});
