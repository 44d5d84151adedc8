/** Questions as files: what extends what, what is laid over them, which cells they have, and what is refused with the nearest word. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { overridesOf } from "../../../experiments/lab/overrides.ts";
import { questionCells } from "../../../experiments/lab/question-cells.ts";
import { readQuestion } from "../../../experiments/lab/question.ts";
import { readyQuestions } from "../../../experiments/lab/ready-questions.ts";
import { MEASURES } from "../../../experiments/measures/registry.ts";

const BASE = {
  version: 1,
  id: "base",
  question: "What does it cost, at all?",
  workload: { file: "texts.txt", tokens: 16 },
  setting: { c: 1 },
  grid: { alpha: [2, 4] },
  measures: ["cost"],
};

describe("a question", () => {
  let folder: string;
  const put = async (name: string, value: unknown): Promise<string> => {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, JSON.stringify(value));
    return file;
  };
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "weir question "));
    await put("base.json", BASE);
  });
  after(() => rm(folder, { recursive: true }));

  it("extends another one, from another folder, key by key", async () => {
    const file = await put("more/child.json", {
      extends: "../base.json",
      id: "child",
      workload: { tokens: 32 },
      grid: { merge: ["plain", "masked"] },
    });
    const { question, folder: at } = await readQuestion(file);
    assert.equal(question.id, "child");
    assert.equal(path.resolve(at, question.workload.file), path.join(folder, "texts.txt"));
    assert.equal(question.workload.tokens, 32);
    assert.deepEqual(question.grid, { alpha: [2, 4], merge: ["plain", "masked"] });
    await assert.rejects(readQuestion(await put("circle.json", { extends: "circle.json" })), /got a circle/);
  });

  it("has a cell for every value with every other, for what goes together, and for every network of what is timed", async () => {
    const file = await put("grid.json", {
      ...BASE,
      zip: [{ merge: "plain" }, { merge: "masked", alpha: 8 }],
      grid: { c: [1, 2], smpcLayers: ["none", "first:1"] },
      networks: [{ rttMs: 1 }, { rttMs: 20 }],
      measures: ["cost", "time"],
    });
    const cells = questionCells((await readQuestion(file)).question, MEASURES);
    assert.equal(cells.length, 2 * 2 * 2 * (1 + 2));
    assert.equal(
      new Set(cells.map(({ config, measure, network }) => JSON.stringify([config, measure.name, network]))).size,
      24,
    );
    assert.deepEqual([...new Set(cells.map(({ config: { merge, alpha } }) => `${merge} ${alpha}`))].sort(), [
      "masked 8",
      "plain 4",
    ]);
    assert.deepEqual(
      cells.map(({ index }) => index),
      [...cells.keys()],
    );
  });

  it("takes what is laid over it: a setting's key is varied, its own is set", async () => {
    const over = overridesOf([
      "alpha=2,3,4",
      "workload.tokens=8",
      "workload.newTokens=2",
      "placement=0,2=smpc;;all=cascade",
    ]);
    const { question } = await readQuestion(path.join(folder, "base.json"), over);
    assert.deepEqual(question.grid, { alpha: [2, 3, 4], placement: ["0,2=smpc", "all=cascade"] });
    assert.deepEqual([question.workload.tokens, question.workload.newTokens], [8, 2]);
    assert.equal(question.workload.file, "texts.txt");
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ["an unknown key", { ...BASE, mesures: [] }, /expected known keys only, got "mesures"; did you mean measures\?/],
    ["a mistyped measure", { ...BASE, measures: ["cots"] }, /expected one of cost, .*, got cots; did you mean cost\?/],
    [
      "a mistyped option",
      { ...BASE, measures: [{ measure: "leak", atack: "lp" }] },
      /measure leak: .*"atack"; did you mean attack/s,
    ],
    ["a setting that is none", { ...BASE, grid: { alhpa: [2] } }, /setting .*alhpa.*did you mean alpha\?/],
    ["no list", { ...BASE, grid: { alpha: 2 } }, /grid.alpha: expected a list, got 2/],
  ];
  for (const [what, value, message] of refused)
    it(`refuses ${what}`, async () => {
      const file = await put("refused.json", value);
      await assert.rejects(async () => questionCells((await readQuestion(file)).question, MEASURES), message);
    });

  it("refuses overrides of no key, with the nearest", () => {
    assert.throws(() => overridesOf(["alpah=2"]), /got alpah; did you mean alpha\?/);
    assert.throws(() => overridesOf(["workload.tokns=2"]), /did you mean workload.tokens\?/);
    assert.throws(() => overridesOf(["alpha"]), /expected key=value/);
  });

  it("has as many cells as the product says", async () => {
    let checked = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1 }),
        async (alpha, c) => {
          const { question } = await readQuestion(path.join(folder, "base.json"), { grid: { alpha, c } });
          const cells = questionCells(question, MEASURES);
          assert.equal(cells.length, alpha.length * c.length);
          assert.deepEqual(new Set(cells.map(({ config }) => config.alpha)), new Set(alpha));
          checked++;
        },
      ),
      { numRuns: 20 },
    );
    assert.equal(checked, 20);
  });
});

describe("the questions that come with weir", async () => {
  for (const { file, question } of await readyQuestions())
    it(`${path.basename(file)} is named by its id, and every cell can be run`, () => {
      assert.equal(path.basename(file, ".json"), question.id);
      assert.ok(questionCells(question, MEASURES).length > 0);
    });
});
