/**
 * The whole attack lab in one command: every config and every study, as full-grid.json lists them.
 *
 * node --import tsx experiments/attacks/run/run-full-grid.ts --list
 * node --import tsx experiments/attacks/run/run-full-grid.ts --records FOLDER [--only NAME ...]
 *
 * A folder that an earlier run was cut in goes on where that ended; exit code 1 and the names of the steps that failed.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { readAttackConfig } from "./attack-config.ts";
import { readExperimentPlan, type PlanStep } from "./experiment-plan.ts";
import { cellsOf } from "./run-cell.ts";
import { runPlan } from "./run-plan.ts";

const PLAN = path.join(import.meta.dirname, "../full-grid.json");

try {
  const { values } = parseArgs({
    options: {
      list: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      records: { type: "string" },
      plan: { type: "string", default: PLAN },
    },
  });
  const steps = chosen((await readExperimentPlan(path.resolve(values.plan))).steps, values.only);
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  if (values.list) for (const line of await listed(steps)) tell(line);
  else {
    if (values.records === undefined)
      throw new Error("records: expected a folder that records are written to (or --list), got none");
    const failed = await runPlan(steps, { records: path.resolve(values.records), report: tell });
    for (const { name, why } of failed) process.stderr.write(`FAILED: ${name}: ${why}\n`);
    if (failed.length > 0) process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`full grid: ${(error as Error).message}\n`);
  process.exitCode = 1;
}

/** The steps of these names; all where none is named. Throws Error for a name that no step has. */
function chosen(steps: readonly PlanStep[], only: readonly string[] | undefined): readonly PlanStep[] {
  const names = steps.map(({ name }) => name);
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`only: expected one of ${names.join(", ")}, got ${unknown}`);
  return only === undefined ? steps : steps.filter(({ name }) => only.includes(name));
}

/** A line a step with its sizes and minutes, and their sum. */
async function listed(steps: readonly PlanStep[]): Promise<string[]> {
  const width = Math.max(...steps.map(({ name }) => name.length));
  const lines = [`minutes  ${"step".padEnd(width)}  prompts  smallest effect  what`];
  for (const step of steps) {
    const { prompts, effect, what } = await sizesOf(step);
    lines.push(
      [
        step.minutes.toFixed(1).padStart(7),
        step.name.padEnd(width),
        String(prompts).padStart(7),
        effect.padStart(15),
        what,
      ].join("  "),
    );
  }
  const sum = steps.reduce((total, { minutes }) => total + minutes, 0);
  return [...lines, `${sum.toFixed(1).padStart(7)}  minutes in all, measured on two busy cores`];
}

async function sizesOf(step: PlanStep): Promise<{ prompts: number; effect: string; what: string }> {
  if (step.kind === "study") {
    const { prompts, minimumDetectableEffect: effect, model } = step;
    const flags = Object.entries(step.flags).map(([flag, value]) => (value === true ? flag : `${flag} ${value}`));
    return {
      prompts,
      effect: effect === null ? "-" : effect.toFixed(2),
      what: `${path.basename(step.study, ".ts")} on ${model}: ${flags.join(", ")}`,
    };
  }
  const config = await readAttackConfig(step.config);
  const { minimumDetectableEffect, metric } = config.verdict;
  const cells = cellsOf(config).length;
  return {
    prompts: config.prompts.count,
    effect: minimumDetectableEffect.toFixed(2),
    what: `${cells} ${cells === 1 ? "cell" : "cells"} of ${config.attack.name} on ${step.model}, ${metric}`,
  };
}
