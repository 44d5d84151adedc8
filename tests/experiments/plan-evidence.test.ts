/** The planner says of its points what the lab's records say, and chooses none that they break where there is another. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import { coloursFor } from "../../cli/terminal.ts";
import { planTable } from "../../cli/plan-table.ts";
import { committedRecords } from "../../experiments/report/committed-records.ts";
import { readRecords } from "../../experiments/report/read-records.ts";
import type { Candidate } from "../../experiments/plan/candidate.ts";
import { candidatesOf } from "../../experiments/plan/enumerate.ts";
import { JOINT_DECODING, NO_RECORD, RecordedEvidence } from "../../experiments/plan/evidence.ts";
import { plan, type PlanRequest } from "../../experiments/plan/plan.ts";
import { chosenLayers } from "../../protocols/fusion/session/layer-placement.ts";

const LAYERS = 8;
const RECORDS = path.resolve(import.meta.dirname, "../../experiments/attacks/records");

/** A candidate of the default model. */
function candidate(alpha: number, c: number, placement: string, more: Partial<Candidate["cascade"]> = {}): Candidate {
  const layers = chosenLayers(placement, LAYERS);
  return {
    cascade: layers.length === LAYERS ? null : { alpha, c, m: 1, merge: "plain", ...more },
    smpc: layers.length === 0 ? null : { placement, layers, parties: 2, trade: "standard" },
  };
}

/** Wide enough that no line is broken. */
const WIDE = { width: 10_000, colours: coloursFor(process.stdout) };

describe("what records say of a candidate", async () => {
  const evidence = await RecordedEvidence.of("default", LAYERS);
  const cells = (await Promise.all((await committedRecords()).map((file) => readRecords([file])))).flatMap(
    (records) => records.cells,
  );
  const all = (["plain", "masked"] as const).flatMap((merge) =>
    candidatesOf({ layers: LAYERS, promptLength: 128, parties: [2, 3], trades: ["standard"], merge }),
  );

  it("is what its setting's records say, whatever the clusters of a single CompNode", () => {
    const { standing, says } = evidence.about(candidate(1, 32, "first:1"));
    assert.equal(standing, "broken");
    assert.equal(says[0], "broken by vocab-match: 10 of 10 prompts exact (layer 1, comp.0; cells-vocab-match.ndjson)");
    assert.match(evidence.about(candidate(1, 32, "none")).says[0], /is told the ids of all positions/);
    assert.equal(evidence.about(candidate(4, 2, "first:1")).standing, "broken");
    assert.match(
      evidence.about(candidate(2, 8, "first:1")).says[0],
      /^leaks by rank-match: 0\.79 of the hidden tokens/,
    );
  });

  it("is of the layers that the candidate leaves in the clear, and of ids that it tells", () => {
    // Attacked at layer 1 alone: nothing is recorded of a setting that has it under SMPC.
    assert.equal(evidence.about(candidate(4, 4, "first:1")).standing, "leaks");
    assert.deepEqual(evidence.about(candidate(4, 4, "first:2")).says, [NO_RECORD, JOINT_DECODING]);
    // The beam was told ids of layer 0 in the clear.
    assert.ok(evidence.about(candidate(2, 2, "none")).says.some((line) => line.includes("cells-beam-infill")));
    assert.ok(!evidence.about(candidate(2, 2, "first:1")).says.some((line) => line.includes("cells-beam-infill")));
  });

  it("never makes a candidate with a clear row look safe", () => {
    for (const one of all) {
      const { standing, says } = evidence.about(one);
      assert.equal(standing === "no clear row", one.cascade === null, JSON.stringify(one));
      if (one.cascade === null) continue;
      assert.equal(says.at(-1), JOINT_DECODING);
      assert.match(says[0], /^(broken|leaks) |: unknown, not safe$|: one attack's verdict, not safe$/);
    }
    // One attack of two found nothing there.
    const masked = evidence.about(candidate(8, 8, "first:1", { merge: "masked" }));
    assert.match(masked.says[0], /^no leak found by rank-match: .*: one attack's verdict, not safe$/);
  });

  it("takes every cell of the model's, but of wires, shardings and evaluators that the planner has not", () => {
    const said = new Set(
      [...all, ...[1, 2, 4, 8].flatMap((c) => [candidate(4, c, "0,7"), candidate(8, c, "first:4", { m: 2 })])].flatMap(
        (one) => evidence.about(one).says,
      ),
    );
    for (const { model, experiment, cell, verdict } of cells) {
      if (model !== "default" || cell.setting.wire === "float16" || cell.setting.r !== undefined) continue;
      if (cell.setting.placement === "all=delegated") continue;
      const found = [...said].some(
        (line) =>
          line.includes(`(layer ${cell.layer}, ${cell.coalition.join(" and ")}; cells-${experiment}`) &&
          line.startsWith(verdict === "breaks" ? "broken" : verdict),
      );
      assert.ok(found, `${experiment} ${JSON.stringify(cell)}`);
    }
    // Servers of delegated layers see other words than SMPC parties do, for whom they say nothing.
    assert.ok(cells.some(({ cell }) => cell.setting.placement === "all=delegated"));
    assert.ok(![...said].some((line) => line.includes("cells-taken-words")));
  });

  it("changes when a record does, and is no other model's", async () => {
    const file = "cells-vocab-match.ndjson";
    const folder = await mkdtemp(path.join(tmpdir(), "weir-records-"));
    try {
      const copy = path.join(folder, file);
      const text = await readFile(path.join(RECORDS, file), "utf8");
      await writeFile(copy, text.replaceAll('"verdict":"breaks"', '"verdict":"no leak found"'));
      const { standing } = (await RecordedEvidence.of("default", LAYERS, [copy])).about(candidate(1, 32, "first:1"));
      assert.equal(standing, "unknown");
      await writeFile(copy, text.replaceAll('"void":null', '"void":"negative control: got 1"'));
      const void_ = (await RecordedEvidence.of("default", LAYERS, [copy])).about(candidate(1, 32, "first:1"));
      assert.equal(void_.says[0], NO_RECORD);
    } finally {
      await rm(folder, { recursive: true });
    }
    const other = await RecordedEvidence.of("another", LAYERS);
    assert.equal(other.about(candidate(1, 32, "first:1")).says[0], NO_RECORD);
  });
});

describe("weir plan", () => {
  const request: PlanRequest = {
    promptLength: 12,
    newTokens: 2,
    machines: 9,
    precision: "fine",
    trade: "standard",
    merge: "plain",
    rttMs: 1,
    mbit: 1000,
    multiplyAddsPerSecond: 1e10,
    wordMultiplyAddsPerSecond: 4e8,
  };
  const quiet = (): void => {};

  it("chooses all layers under SMPC where they keep to the limits", async () => {
    const record = await plan(request, quiet);
    assert.equal(record.front[record.chosen.point - 1].smpc?.placement, "all");
    assert.equal(record.whyClearRows, null);
    assert.equal(record.front[0].evidence.standing, "broken");
  });

  it("chooses nothing that records break while there is another, and says what keeps all layers from SMPC", async () => {
    const record = await plan({ ...request, hideIds: true, maxMb: 6 }, quiet);
    const { front, chosen, whyClearRows } = record;
    assert.equal(front[0].evidence.standing, "broken");
    assert.equal(front[chosen.point - 1].evidence.standing, "unknown");
    assert.match(
      whyClearRows!,
      /^nothing within the limits has all layers under SMPC: --max-mb 6 binds, [\d.]+ MB is the nearest feasible$/,
    );
    const table = planTable(record, { all: false }, WIDE);
    assert.ok(table.includes(`\n${whyClearRows}\n`));
    assert.ok(table.includes(JOINT_DECODING));
    assert.ok(table.split("\n").filter((line) => line.endsWith(NO_RECORD)).length > 1);
    // A point that records break may be asked for: it is said.
    const broken = await plan({ ...request, hideIds: true, maxMb: 6, point: 1 }, quiet);
    assert.match(
      planTable(broken, { all: false }, WIDE).split("chosen: ")[1],
      /broken by vocab-match: 10 of 10 prompts/,
    );
  });
});
