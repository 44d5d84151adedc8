/** The two presets that README.md sets side by side cost and hide what it says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { PRESET_NAMES } from "../../protocols/fusion/config/presets.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";
import { textOf } from "./page-commands.ts";

const TABLE = textOf("README.md")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );

/** The cell of a row, by how its first one begins. */
function cell(row: string, column: number): string {
  const found = TABLE.find(([title]) => title.startsWith(row));
  assert.ok(found !== undefined, `README.md: expected a row ${row}`);
  return found[column];
}

describe("README.md's presets", () => {
  const [, ...presets] = TABLE.find(([title]) => title.startsWith("npx weir run --preset NAME"))!;
  const [, prompt, tokens] = /"(.*)" --max-tokens (\d+)/.exec(TABLE[0][0])!;

  it("are the default and the one that hides", () => assert.deepEqual(presets, ["hybrid", "hidden"]));

  for (const [at, preset] of presets.entries())
    it(`${preset} costs and hides what its column says`, async () => {
      const config = parseRunConfig({ preset, maxTokens: Number(tokens), place: "memory" });
      const run = await openRun(config, { text: prompt, chat: false }, () => {});
      try {
        const record = await run.generate({ startedAt: performance.now(), onText: () => {} });
        const bytesOf = (names: readonly string[]): number =>
          record.phases.reduce((sum, { phase, payloadBytes }) => sum + (names.includes(phase) ? payloadBytes : 0), 0);
        const figure = (value: number): string => value.toLocaleString("en-US");
        assert.equal(cell("payload", at + 1), figure(record.payloadBytes));
        assert.equal(cell("of it", at + 1), figure(bytesOf(["deal", "ahead"])));
        assert.equal(cell("rounds", at + 1), figure(record.rounds));
        assert.equal(cell("what one of them", at + 1) === "lengths", record.isHidden);
        const kinds = Object.keys(record.parties).map((party) => party.split(".")[0]);
        const count = (kind: string): number => kinds.filter((each) => each === kind).length;
        const named = [
          ...(count("comp") > 0 ? [`${count("comp")} CompNodes`, `${count("attn")} AttnNodes`] : []),
          `${count("smpc")} SMPC parties`,
        ];
        assert.equal(cell("parties beside", at + 1), named.join(", "));
      } finally {
        await run.close();
      }
    });
});

describe("docs/running.md", () => {
  it("has a row for every preset, and no others", () => {
    const rows = textOf("docs/running.md").matchAll(/^\| `(\w+)` \| .* \| .* \|$/gm);
    assert.deepEqual(
      Array.from(rows, ([, name]) => name),
      PRESET_NAMES,
    );
  });
});
