import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { modelRanges } from "../../protocols/smpc/lowering/ranges.ts";
import { MODELS_FOLDER } from "../layers/golden-models.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir } from "./weir-command.ts";

const model = path.join(MODELS_FOLDER, "gemma2");
const scratch = await scratchFolder();

test("weir calibrate prints and writes the ranges of the layers asked for", async () => {
  const out = path.join(scratch.path, "ranges.json");
  const { code, stdout, stderr } = await weir("calibrate", "--model", model, "--layers", "1", "--json", "--out", out);
  assert.equal(code, 0, stderr);
  const ranges = modelRanges.parse(JSON.parse(stdout));
  assert.ok(Object.keys(ranges.sites).every((site) => site.startsWith("layers.1.")));
  assert.ok("layers.1.logits.0" in ranges.sites);
  assert.equal(await readFile(out, "utf8"), stdout);
});

test("weir calibrate shows a table with the head where all layers are asked for", async () => {
  const { code, stdout } = await weir("calibrate", "--model", model);
  assert.equal(code, 0);
  assert.match(stdout, /^layers\.0\.attended\.0 +(certified|calibrated) +maxAbs/m);
  assert.match(stdout, /^head\.softCap\.0 /m);
});

test("weir calibrate refuses layers that are not there or don't follow one another", async () => {
  const gap = await weir("calibrate", "--model", model, "--layers", "0,2");
  assert.equal(gap.code, 1);
  assert.match(gap.stderr, /expected consecutive layers/);
  const beyond = await weir("calibrate", "--model", model, "--layers", "7");
  assert.equal(beyond.code, 1);
  assert.match(beyond.stderr, /layers: expected some of 0 to \d+, got 7 to 7/);
});
