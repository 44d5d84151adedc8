import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openModel } from "../../../layers/model.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { makeRanges } from "../../../protocols/smpc/calibration/load-ranges.ts";
import { rangeOfSite } from "../../../protocols/smpc/calibration/margins.ts";
import { observeLayers } from "../../../protocols/smpc/calibration/observe-layers.ts";
import { readableModel } from "../../../protocols/smpc/calibration/readable-model.ts";
import { columnBounds } from "../../../protocols/smpc/lowering/column-bounds.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "../../layers/smollm2-folder.ts";

test(
  "SmolLM2: prompts outside the calibration text stay within the ranges of layers 0 to 2",
  { skip: SMOLLM2_MISSING },
  async () => {
    const model = await openModel(path.join(SMOLLM2_FOLDER, "model.gguf"));
    const span = { from: 0, to: 3, head: false };
    const ranges = await makeRanges(model, null, span);
    const tokenizer = await openTokenizer(model.path);
    const lines = async (file: string): Promise<string[]> => (await readFile(file, "utf8")).trim().split("\n");
    const prompts = [
      ...(await lines(path.join(SMOLLM2_FOLDER, "prompts.txt"))),
      ...(await lines(path.join(DEFAULT_MODEL, "heldout.txt"))),
    ];
    const sequences = prompts.map((prompt) => tokenizer.encode(prompt));
    const batch = { ids: sequences.flat(), lengths: sequences.map(({ length }) => length), rows: null };
    const seen = (await observeLayers(readableModel(model), [batch], span)).ranges();
    for (const [site, range] of seen) {
      const allowed = rangeOfSite(ranges)(site);
      for (const key of ["maxAbs", "high", "spread", "diagonalHigh", "maxSquare"] as const)
        if (allowed[key] !== undefined) assert.ok(range[key]! <= allowed[key], `${site} ${key}: ${range[key]}`);
      for (const key of ["low", "diagonalLow", "minSquare"] as const)
        if (allowed[key] !== undefined) assert.ok(range[key]! >= allowed[key], `${site} ${key}: ${range[key]}`);
      if (range.columns === undefined) continue;
      const [seenColumns, bounds] = [columnBounds(range.columns), columnBounds(allowed.columns!)];
      seenColumns.forEach((value, c) => assert.ok(value <= bounds[c], `${site}, neuron ${c}: ${value}`));
    }
    await model.close();
  },
);
