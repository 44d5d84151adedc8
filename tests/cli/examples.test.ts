/** The run configs in examples/: each runs, and docs/running.md says what it is for. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const FOLDER = path.join(CHECKOUT, "examples");
const EXAMPLES = readdirSync(FOLDER);
const PAGE = readFileSync(path.join(CHECKOUT, "docs/running.md"), "utf8");

describe("examples", () => {
  it("are what docs/running.md lists, and no others", () => {
    const listed = [...PAGE.matchAll(/^\| \[examples\/([\w-]+\.json)\]/gm)].map(([, name]) => name);
    assert.deepEqual(listed.sort(), EXAMPLES.toSorted());
    assert.ok(EXAMPLES.length >= 5);
  });

  for (const name of EXAMPLES)
    it(`${name} runs, and its costs are as declared`, async () => {
      const given = JSON.parse(readFileSync(path.join(FOLDER, name), "utf8")) as Record<string, unknown>;
      const config = parseRunConfig({ ...given, place: "memory", maxTokens: 2 });
      const run = await openRun(config, { text: "It was a dark night", chat: false }, () => {});
      try {
        const record = await run.generate({ startedAt: performance.now(), onText: () => {} });
        assert.equal(record.generatedIds.length, 2);
        assert.equal(record.payloadBytes, record.expectedPayloadBytes);
        assert.deepEqual(record.smpc?.failedRows ?? [], []);
        for (const [key, value] of Object.entries(given))
          if (key !== "maxTokens") assert.deepEqual(record.config[key], value, key);
      } finally {
        await run.close();
      }
    });
});
