/** Runs the whole grid (or the models named as arguments) and prints one line a model and place: npx tsx experiments/verify/run-golden-grid.ts [MODEL ...] */
import { fileURLToPath } from "node:url";
import { cells, verifyCell, WHOLE_GRID } from "./golden-grid.ts";

const FOLDER = fileURLToPath(new URL("../../tests/fixtures/models", import.meta.url));
const TOLERANCE = 1e-4;

const models = process.argv.length > 2 ? process.argv.slice(2) : WHOLE_GRID.models;
let failed = 0;
for (const model of models) {
  for (const place of WHOLE_GRID.places) {
    const line = {
      model,
      place,
      cells: 0,
      ok: 0,
      maxHiddenError: 0,
      maxLogitError: 0,
      greedyEqual: 0,
      payloadEqual: 0,
      seconds: 0,
    };
    const startedAt = performance.now();
    for (const cell of cells({ ...WHOLE_GRID, models: [model], places: [place] })) {
      const { ok, sharded, unsharded, bytes } = await verifyCell(FOLDER, cell, TOLERANCE);
      const within =
        Math.max(
          sharded.maxHiddenError,
          unsharded.maxHiddenError,
          sharded.maxLogitError ?? 0,
          unsharded.maxLogitError ?? 0,
        ) <= TOLERANCE;
      line.cells++;
      line.ok += ok && within ? 1 : 0;
      line.maxHiddenError = Math.max(line.maxHiddenError, sharded.maxHiddenError, unsharded.maxHiddenError);
      line.maxLogitError = Math.max(line.maxLogitError, sharded.maxLogitError ?? 0, unsharded.maxLogitError ?? 0);
      line.greedyEqual += sharded.greedyEqual === false || unsharded.greedyEqual === false ? 0 : 1;
      line.payloadEqual += bytes.payloadBytes === bytes.expectedPayloadBytes ? 1 : 0;
    }
    line.seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    failed += line.cells - line.ok;
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
