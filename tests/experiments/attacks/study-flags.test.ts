/** The flags of studies: read by a schema, refused with the nearest word; a study in a path with a space runs. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { listed, sharding, STUDY_FLAGS, studyFlags } from "../../../experiments/attacks/studies/study-flags.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const LAB = path.join(ROOT, "experiments/attacks");
const SHAPE = z.strictObject({
  layers: listed(z.int().min(0), "0,1"),
  settings: listed(sharding, "2x4x1"),
  sums: z.enum(["shards", "merged"]).default("shards"),
  evidence: z.number().default(1),
  noise: z.boolean().default(false),
  ...STUDY_FLAGS,
});

interface Step {
  readonly study?: string;
  readonly name: string;
  readonly flags?: Readonly<Record<string, string | number | boolean>>;
}

describe("flags of a study", () => {
  it("are read, with defaults", () => {
    const none = { layers: [0, 1], settings: ["2x4x1"], sums: "shards", evidence: 1, noise: false, skip: 0, seed: 1 };
    assert.deepEqual(studyFlags(SHAPE, []), none);
    const given = [
      "--layers=3",
      "--settings=1x2,2x2x2",
      "--sums=merged",
      "--evidence=0.5",
      "--noise",
      "--out=a b.ndjson",
    ];
    const read = {
      layers: [3],
      settings: ["1x2", "2x2x2"],
      sums: "merged",
      evidence: 0.5,
      noise: true,
      out: "a b.ndjson",
    };
    assert.deepEqual(studyFlags(SHAPE, given), { ...none, ...read });
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ["--sums=shrads", /^Error: --sums: expected one of shards, merged, got "shrads"; did you mean shards\?$/],
    ["--layers=one", /^Error: --layers: expected a number, got "one"$/],
    ["--layers=0.5", /^Error: --layers: expected an integer, got 0.5$/],
    ["--evidence=much", /^Error: --evidence: expected a number, got "much"$/],
    ["--settings=2by4", /^Error: --settings: expected c x alpha, or c x alpha x m, such as 2x4x1, got "2by4"$/],
    ["--smus=merged", /Unknown option '--smus'/],
  ];
  for (const [flag, message] of refused)
    it(`refuse ${flag}`, () => assert.throws(() => studyFlags(SHAPE, [flag]), message));

  it("take every list of whole numbers as it is written", () => {
    let checked = 0;
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1 }), (layers) => {
        assert.deepEqual(studyFlags(SHAPE, [`--layers=${layers.join(",")}`]).layers, layers);
        checked++;
      }),
    );
    assert.ok(checked >= 100);
  });
});

describe("the studies", () => {
  const { steps } = JSON.parse(readFileSync(path.join(LAB, "full-grid.json"), "utf8")) as { steps: Step[] };
  const studies = new Map(steps.flatMap((step) => (step.study === undefined ? [] : [[step.study, step]])));

  it("take the flags of the full grid, and run where their path holds a space", () => {
    assert.ok(studies.size >= 10);
    const folder = mkdtempSync(path.join(tmpdir(), "weir study "));
    const checkout = path.join(folder, "a checkout");
    symlinkSync(ROOT, checkout);
    try {
      const [study, { flags = {} }] = [...studies][0];
      const args = Object.entries(flags).map(([key, value]) => (value === true ? `--${key}` : `--${key}=${value}`));
      // A folder as the file of records: the study reads its flags, looks for records, and says so, before it opens a model.
      const run = spawnSync(
        process.execPath,
        [
          "--preserve-symlinks-main",
          "--preserve-symlinks",
          "--import",
          "tsx",
          path.join(checkout, "experiments/attacks", study),
          ...args,
          `--out=${folder}`,
        ],
        { cwd: ROOT, encoding: "utf8" },
      );
      assert.equal(run.status, 1, run.stdout);
      assert.match(run.stderr, /EISDIR/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
