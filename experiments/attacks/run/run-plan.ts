/** The steps of a plan, one after the other: one that fails doesn't keep the others from running. */
import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { readAttackConfig } from "./attack-config.ts";
import type { PlanStep, StudyStep } from "./experiment-plan.ts";
import { runExperiment } from "./run-experiment.ts";

/** Studies name their texts from there. */
const CHECKOUT = path.join(import.meta.dirname, "../../..");

export interface PlanOptions {
  /** Folder of NDJSON files, of those of an earlier run too: what they hold isn't run again. */
  readonly records: string;
  readonly report: (line: string) => void;
}

/** Names of the steps that failed, with why. */
export async function runPlan(
  steps: readonly PlanStep[],
  { records, report }: PlanOptions,
): Promise<{ readonly name: string; readonly why: string }[]> {
  await mkdir(records, { recursive: true });
  const failed: { name: string; why: string }[] = [];
  for (const [at, step] of steps.entries()) {
    const left = steps.slice(at).reduce((sum, { minutes }) => sum + minutes, 0);
    report(`step ${at + 1} of ${steps.length}, about ${Math.ceil(left)} minutes left: ${step.name}`);
    const startedAt = performance.now();
    const why = await runStep(step, path.join(records, step.out)).catch((error: Error) => error.message);
    const minutes = (performance.now() - startedAt) / 60_000;
    report(`${step.name}: ${why === null ? "done" : `FAILED: ${why}`} (${minutes.toFixed(1)} minutes)`);
    if (why !== null) failed.push({ name: step.name, why });
  }
  return failed;
}

/** Null, or which control failed. Throws Error where the step can't be run. */
async function runStep(step: PlanStep, out: string): Promise<string | null> {
  if (step.kind === "study") return runStudy(step, out);
  const config = { ...(await readAttackConfig(step.config)), ...modelOf(step) };
  const cells = await runExperiment(config, { folder: path.dirname(step.config), out, report: () => {} });
  const voided = cells.filter((cell) => cell.void !== null);
  if (voided.length === 0) return null;
  return `${voided.length} of ${cells.length} cells are void, the first one by its ${voided[0].void}`;
}

/** The model of a step that isn't on the default one. Throws Error where WEIR_SMOLLM2 isn't set. */
function modelOf({ model }: PlanStep): { model?: string } {
  if (model === "default") return {};
  const folder = process.env.WEIR_SMOLLM2;
  if (folder === undefined)
    throw new Error("WEIR_SMOLLM2: expected the folder that holds SmolLM2's model.gguf, got none");
  return { model: path.resolve(folder, "model.gguf") };
}

/** The command line of a study's step after Node's own. Throws Error where its model isn't there. */
export function studyArguments(step: StudyStep, out: string): string[] {
  const given: StudyStep["flags"] = { ...step.flags, ...modelOf(step), out };
  return [
    "--import",
    "tsx",
    step.study,
    ...Object.entries(given).map(([flag, value]) => (value === true ? `--${flag}` : `--${flag}=${value}`)),
  ];
}

/** A process of its own: studies hold engines of hundreds of megabytes. */
async function runStudy(step: StudyStep, out: string): Promise<string | null> {
  const args = studyArguments(step, out);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: CHECKOUT, stdio: ["ignore", "inherit", "pipe"] });
    let last = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (last = (last + text).slice(-2000)));
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve(code === 0 ? null : `exit ${code ?? signal}: ${/^\w*Error.*$/m.exec(last)?.[0] ?? last.trim()}`),
    );
  });
}
