/** The full grid: every config and study is a step of it, all that they name is there, records are of their configs; a failed step stops no other. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { readRecords } from "../../../experiments/report/read-records.ts";
import { attackNamed } from "../../../experiments/attacks/registry.ts";
import { configHash, readAttackConfig, type AttackConfig } from "../../../experiments/attacks/run/attack-config.ts";
import { readExperimentPlan } from "../../../experiments/attacks/run/experiment-plan.ts";
import { cellsOf } from "../../../experiments/attacks/run/run-cell.ts";
import { studyArguments } from "../../../experiments/attacks/run/run-plan.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const LAB = path.resolve(import.meta.dirname, "../../../experiments/attacks");
const BUILT = path.resolve(LAB, "../../models/recipe/build");
const PLAN = path.join(LAB, "full-grid.json");
/** It runs in the suite (tests/cli/attack.test.ts). */
const SMOKE = "smoke.json";

const filesIn = (folder: string, ends: string): string[] =>
  readdirSync(path.join(LAB, folder))
    .filter((name) => name.endsWith(ends))
    .map((name) => path.join(LAB, folder, name));

/** Runs the grid's command to its end. */
const fullGrid = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", path.join(LAB, "run/run-full-grid.ts"), ...args], {
    encoding: "utf8",
  });

describe("configs of the attack lab", () => {
  for (const file of filesIn("configs", ".json"))
    it(`${path.basename(file)} can be run: attack, options, files and settings`, async () => {
      const config = await readAttackConfig(file);
      assert.equal(`${config.id}.json`, path.basename(file));
      attackNamed(config.attack.name).parseOptions(config.attack.options);
      const at = (name: string): string => path.resolve(path.dirname(file), name);
      assert.ok(existsSync(at(config.prompts.file)), config.prompts.file);
      const training = at(config.training.file);
      assert.ok(existsSync(training) || path.dirname(training) === BUILT, training);
      for (const setting of [...config.grid.settings, config.controls.positive.setting]) parseRunConfig(setting);
      assert.deepEqual(unmeasured(config), []);
      if (path.basename(file) !== SMOKE)
        assert.equal(config.prompts.skip, 60, "attackers were tuned on lines before 60");
    });
});

describe("records of cells", () => {
  for (const file of filesIn("records", ".ndjson").filter((name) => path.basename(name).startsWith("cells-")))
    it(`${path.basename(file)} is of the config as it stands, from a commit, with controls that held`, async () => {
      const id = path.basename(file, ".ndjson").slice("cells-".length);
      const config = await readAttackConfig(path.join(LAB, "configs", `${id}.json`));
      const { cells, studies } = await readRecords([file]);
      assert.equal(studies.length, 0);
      assert.deepEqual(
        cells.map(({ cell }) => cell),
        cellsOf(config),
      );
      for (const { model, configHash: hash, void: voided, run } of cells) {
        // With --model the hash holds the path of the model on the machine that it ran on.
        if (model === "default")
          assert.equal(hash, configHash(config), `${id}: expected records of the config as it is; run it again`);
        assert.equal(voided, null);
        assert.equal(run.dirty, false);
      }
    });
});

/** Metrics of the verdict that no prompt of a cell would have: hidden tokens where one CompNode sees all. */
function unmeasured({ grid, verdict }: AttackConfig): unknown[] {
  const needsHidden = verdict.metric.startsWith("hidden");
  return grid.settings.filter(({ alpha, smpcLayers }) => needsHidden && alpha === 1 && smpcLayers === "none");
}

describe("the full grid", async () => {
  const scratch = await scratchFolder();
  const { steps } = await readExperimentPlan(PLAN);

  it("has every config and every study", () => {
    const configs = filesIn("configs", ".json").filter((file) => path.basename(file) !== SMOKE);
    assert.deepEqual(steps.flatMap((step) => (step.kind === "config" ? [step.config] : [])).sort(), configs.sort());
    const studies = filesIn("studies", ".ts").filter((file) =>
      readFileSync(file, "utf8").includes("process.argv[1] ==="),
    );
    const named = new Set(steps.flatMap((step) => (step.kind === "study" ? [step.study] : [])));
    assert.deepEqual([...named].sort(), studies.sort());
  });

  it("gives studies flags that they know, and as many prompts as it says", () => {
    const [curves, all] = ["curve-flags.ts", "study-flags.ts"].map((name) =>
      readFileSync(path.join(LAB, "studies", name), "utf8"),
    );
    const saved = process.env.WEIR_SMOLLM2;
    process.env.WEIR_SMOLLM2 = "smollm2";
    try {
      for (const step of steps) {
        if (step.kind !== "study") continue;
        const text = readFileSync(step.study, "utf8");
        const known = text + all + (text.includes("CURVE_FLAGS") ? curves : "");
        for (const argument of studyArguments(step, "out.ndjson").slice(3)) {
          const [flag] = argument.slice(2).split("=");
          assert.match(known, new RegExp(`\\b"?${flag}"?: (z\\b|listed\\(|whole)`), `${step.name}: ${argument}`);
        }
        assert.equal(step.flags.prompts, step.prompts, step.name);
        assert.equal(step.flags.skip, 60, step.name);
      }
    } finally {
      if (saved === undefined) delete process.env.WEIR_SMOLLM2;
      else process.env.WEIR_SMOLLM2 = saved;
    }
  });

  it("lists its steps with sizes and minutes, and their sum", () => {
    const { status, stdout, stderr } = fullGrid("--list");
    assert.equal(status, 0, stderr);
    const lines = stdout.trim().split("\n");
    assert.equal(lines.length, steps.length + 2);
    for (const [at, { name, minutes }] of steps.entries())
      assert.match(lines[at + 1], new RegExp(`^ *${minutes.toFixed(1)}  ${name} `));
    const sum = steps.reduce((total, { minutes }) => total + minutes, 0);
    assert.match(lines[steps.length + 1], new RegExp(`^ *${sum.toFixed(1)}  minutes in all`));
  });

  it("goes on after a failed step, and ends with 1 and the names of those that failed", async () => {
    const config = JSON.parse(readFileSync(path.join(LAB, "configs", SMOKE), "utf8")) as Record<string, object>;
    await scratch.write("gone.json", JSON.stringify({ ...config, prompts: { ...config.prompts, file: "gone.txt" } }));
    const study = { study: path.join(LAB, "studies/gap-chain.ts"), flags: { speed: 1 }, model: "default" };
    const sizes = { verdict: "none: it fails", prompts: 1, minimumDetectableEffect: null };
    const plan = {
      steps: [
        { kind: "config", name: "no-prompts", config: "gone.json", out: "a.ndjson", minutes: 1.5 },
        { kind: "study", name: "no-flag", ...study, ...sizes, out: "b.ndjson", minutes: 2 },
      ],
    };
    const file = await scratch.write("plan.json", JSON.stringify(plan));
    const { status, stdout, stderr } = fullGrid("--plan", file, "--records", path.join(scratch.path, "records"));
    assert.equal(status, 1);
    assert.match(stdout, /^step 1 of 2, about 4 minutes left: no-prompts\n/);
    assert.match(stdout, /\nstep 2 of 2, about 2 minutes left: no-flag\n/);
    assert.match(stderr, /^FAILED: no-prompts: prompts .*gone\.txt: expected a file .*, got ENOENT\n/);
    assert.match(stderr, /\nFAILED: no-flag: exit 1: TypeError.*'--speed'/);
    const unknown = fullGrid("--only", "nothing", "--list");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /^full grid: only: expected one of vocab-match, .*, got nothing\n$/);
  });
});
