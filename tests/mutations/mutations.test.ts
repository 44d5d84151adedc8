/** The table of changes fits the tree; `npm run mutations` makes them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { edited } from "./mutated-tree.ts";
import { MUTATIONS } from "./mutations.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");

describe("changes that destroy secrecy", () => {
  for (const { name, edits, test } of MUTATIONS)
    it(`can be made: ${name}`, () => {
      for (const edit of edits) edited(readFileSync(path.join(CHECKOUT, edit.file), "utf8"), edit);
      assert.ok(existsSync(path.join(CHECKOUT, test.file)), test.file);
    });

  it("are refused where their text is not there once", () => {
    const edit = { file: "a.ts", text: "x", replacement: "y" };
    assert.equal(edited("a x b", edit), "a y b");
    for (const [text, times] of [
      ["a b", 0],
      ["x x", 2],
    ] as const)
      assert.throws(() => edited(text, edit), new RegExp(`^Error: a\\.ts: expected once "x", got it ${times} times$`));
  });
});
