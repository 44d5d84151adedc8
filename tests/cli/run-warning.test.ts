/** `weir run` warns wherever a node holds a clear row, and nowhere else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { coloursFor } from "../../cli/terminal.ts";
import { runTable } from "../../cli/run-table.ts";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";

const quiet = (): void => {};

/** Wide enough that no line is broken. */
const WIDE = { width: 10_000, colours: coloursFor(process.stdout) };

describe("the table of weir run", () => {
  for (const [setting, warns] of [
    [{ smpcLayers: "none" }, true],
    [{ smpcLayers: "first:7", merge: "masked", alpha: 8, c: 1 }, true],
    [{ smpcLayers: "last:7", merge: "masked" }, true],
    [{ smpcLayers: "all" }, false],
  ] as const)
    it(`${warns ? "warns" : "doesn't warn"} of clear rows with ${JSON.stringify(setting)}`, async () => {
      const config = parseRunConfig({ ...setting, place: "memory", maxTokens: 1 });
      const run = await openRun(config, { text: "It was a dark night", chat: false }, quiet);
      try {
        const table = runTable(await run.generate({ startedAt: performance.now(), onText: quiet }), WIDE);
        assert.equal(/^warning: a CompNode with clear rows .*--smpc-layers all/m.test(table), warns, table);
      } finally {
        await run.close();
      }
    });
});
