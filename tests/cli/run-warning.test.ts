/** `weir run` says what would hide the prompt wherever a node holds a clear row, and that nobody learned anything nowhere else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coloursFor } from "../../cli/terminal.ts";
import { runTable } from "../../cli/run-table.ts";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";
import { weir } from "./weir-command.ts";

const quiet = (): void => {};

/** Wide enough that no line is broken. */
const WIDE = { width: 10_000, colours: coloursFor(process.stdout) };

describe("the table of weir run", () => {
  for (const [setting, warns] of [
    [{ smpcLayers: "none" }, true],
    [{ smpcLayers: "first:7", merge: "masked", alpha: 8, c: 1 }, true],
    [{ smpcLayers: "last:7", merge: "masked" }, true],
    [{ smpcLayers: "all" }, false],
    [{ preset: "hidden" }, false],
    [{ placement: "first:7=delegated" }, true],
  ] as const)
    it(`${warns ? "warns" : "doesn't warn"} of clear rows with ${JSON.stringify(setting)}`, async () => {
      const config = parseRunConfig({ ...setting, place: "memory", maxTokens: 1 });
      const run = await openRun(config, { text: "It was a dark night", chat: false }, quiet);
      try {
        const table = runTable(await run.generate({ startedAt: performance.now(), onText: quiet }), WIDE);
        const remedy = /^to hide it from every single party: --preset hidden, here [\d,]+ bytes .*\n$/m;
        const hidden = /^no single party learned anything but lengths; on one machine it is a simulation\n$/m;
        assert.deepEqual([remedy.test(table), hidden.test(table)], [warns, !warns], table);
        assert.equal(/^ {2}comp\.0 +(every token up to|the token at) position \d+ /m.test(table), warns, table);
        assert.equal(
          /^ {2}smpc\.1 +nothing but lengths$/m.test(table),
          config.placement !== undefined || config.smpcLayers !== "none",
        );
      } finally {
        await run.close();
      }
    });
});

describe("a run that doesn't check what parties answer", () => {
  for (const [placement, warns] of [
    ["all=delegated", true],
    ["all=smpc", false],
  ] as const)
    it(`${warns ? "says so" : "says nothing"} with ${placement}`, async () => {
      const flags = ["--max-tokens", "1", "--place", "memory", "--placement", placement];
      const { stderr } = await weir("run", "It was", ...flags, "--insecure-unchecked-answers");
      assert.equal(/^warning: answers of SMPC parties are not checked/m.test(stderr), warns, stderr);
    });
});
