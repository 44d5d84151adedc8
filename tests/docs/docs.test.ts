/** The documentation is true: its links lead somewhere, its tables are the code's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { attentionPassCost } from "../../protocols/cascade/attention-pass.ts";
import { inputCost, outputCost } from "../../protocols/cascade/edges.ts";
import { handOverCost } from "../../protocols/smpc/run/hand-over.ts";
import { zeroSeedCost } from "../../protocols/fusion/node/zero-seeds.ts";
import { seedCost } from "../../protocols/fusion/session/session-dealer.ts";
import { inputShareCost } from "../../protocols/smpc/run/share-rows.ts";
import { postPassCost } from "../../protocols/cascade/post-pass.ts";
import { prePassCost } from "../../protocols/cascade/pre-pass.ts";
import { DEFAULT_LIMITS } from "../../protocols/wire/limits.ts";
import { CHECKOUT, commandsOf, PAGES, textOf } from "./page-commands.ts";

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

describe("documentation", () => {
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
      "deal between the parties, once a session": zeroSeedCost,
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
