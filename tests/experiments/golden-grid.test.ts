/** A subset of the golden grid in which every model, place, alpha, m and c appears; the whole grid runs apart. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { WHOLE_GRID, verifyCell, type GridCell } from "../../experiments/verify/golden-grid.ts";

const FOLDER = fileURLToPath(new URL("../fixtures/models", import.meta.url));
const TOLERANCE = 1e-4;

/** alpha, m, c; with 2 to 100 AttnNodes, so that a cell takes about a second. */
type Shape = readonly [alpha: number, m: number, c: number];
const SHAPES: Readonly<Record<string, Readonly<Record<"memory" | "sockets", Shape>>>> = {
  bert: { memory: [8, 1, 1], sockets: [2, 1, 2] },
  gemma2: { memory: [2, 3, 8], sockets: [5, 1, 1] },
  gpt2: { memory: [5, 2, 2], sockets: [1, 3, 8] },
  "llama-gqa": { memory: [1, 2, 1], sockets: [2, 2, 2] },
  "llama-linear-biases": { memory: [8, 1, 8], sockets: [2, 3, 1] },
  "llama-mha-untied": { memory: [5, 1, 8], sockets: [8, 1, 2] },
  "llama-rope-llama3": { memory: [2, 2, 1], sockets: [5, 1, 8] },
  "mistral-window": { memory: [1, 3, 2], sockets: [2, 1, 1] },
  "qwen2-bias": { memory: [5, 1, 2], sockets: [1, 1, 8] },
  qwen3: { memory: [8, 1, 2], sockets: [1, 2, 1] },
};
const CELLS: readonly GridCell[] = Object.entries(SHAPES).flatMap(([model, places]) =>
  (["memory", "sockets"] as const).map((place) => {
    const [alpha, m, c] = places[place];
    return { model, alpha, m, c, place };
  }),
);
/** The most AttnNodes of the grid, 256 and 576: once each. */
const LARGE: readonly GridCell[] = [2, 3].map((m) => ({ model: "llama-gqa", alpha: 8, m, c: 8, place: "memory" }));

describe("golden grid", () => {
  it("has a cell for every model with a golden file, and for every value of the whole grid", () => {
    const withGolden = readdirSync(FOLDER).filter((name) => existsSync(path.join(FOLDER, name, "golden.safetensors")));
    assert.deepEqual(Object.keys(SHAPES).sort(), withGolden.sort());
    for (const place of WHOLE_GRID.places) {
      const there = CELLS.filter((cell) => cell.place === place);
      assert.deepEqual(distinct(there.map(({ alpha }) => alpha)), WHOLE_GRID.alphas);
      assert.deepEqual(distinct(there.map(({ m }) => m)), WHOLE_GRID.ms);
      assert.deepEqual(distinct(there.map(({ c }) => c)), WHOLE_GRID.cs);
    }
  });

  for (const cell of [...CELLS, ...LARGE]) {
    it(`holds for ${cell.model} with alpha ${cell.alpha}, m ${cell.m}, c ${cell.c}, ${cell.place}`, async () => {
      const { ok, sharded, bytes } = await verifyCell(FOLDER, cell, TOLERANCE);
      assert.ok(sharded.maxHiddenError <= TOLERANCE, `hidden error ${sharded.maxHiddenError}`);
      assert.ok((sharded.maxLogitError ?? 0) <= TOLERANCE, `logit error ${sharded.maxLogitError}`);
      assert.notEqual(sharded.greedyEqual, false);
      assert.ok(bytes.payloadBytes > 0);
      assert.equal(bytes.payloadBytes, bytes.expectedPayloadBytes);
      assert.ok(ok);
    });
  }
});

const distinct = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
