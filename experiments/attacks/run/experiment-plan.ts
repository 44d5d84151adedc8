/** The full grid of the attack lab as a list of steps: every config, and every study with its flags, sizes and minutes. */
import path from "node:path";
import { z } from "zod";
import { readJson } from "../../lab/read-json.ts";

const named = {
  name: z.string().regex(/^[a-z0-9-]+$/, "lower-case words joined by -"),
  model: z
    .enum(["default", "smollm2"])
    .default("default")
    .describe("smollm2: the model.gguf in the folder WEIR_SMOLLM2"),
  out: z
    .string()
    .regex(/^[a-z0-9-]+\.ndjson$/, "name.ndjson")
    .describe("file in the folder of records"),
  minutes: z.number().gt(0).describe("measured, on two busy cores"),
};

const configStep = z.strictObject({
  kind: z.literal("config"),
  ...named,
  config: z
    .string()
    .describe("config of `weir attack`: its verdict rule and sizes are the step's; relative to the plan"),
});

const studyStep = z.strictObject({
  kind: z.literal("study"),
  ...named,
  study: z.string().describe("script; relative to the plan"),
  flags: z.record(z.string(), z.union([z.string(), z.number(), z.literal(true)])),
  verdict: z.string().min(10).describe("the rule by which its figures are read"),
  prompts: z.int().min(1),
  minimumDetectableEffect: z
    .number()
    .gt(0)
    .max(1)
    .nullable()
    .describe("difference of shares that so many prompts can show; null: sizes and times are measured, not shares"),
});

export const experimentPlan = z.strictObject({
  steps: z
    .array(z.discriminatedUnion("kind", [configStep, studyStep]))
    .min(1)
    .refine((steps) => new Set(steps.map(({ name }) => name)).size === steps.length, "steps of different names"),
});
export type ExperimentPlan = z.infer<typeof experimentPlan>;
export type PlanStep = ExperimentPlan["steps"][number];
export type StudyStep = Extract<PlanStep, { kind: "study" }>;

/** Reads a plan; its files become absolute. Throws Error naming the file, the key, what was expected and what came. */
export async function readExperimentPlan(file: string): Promise<ExperimentPlan> {
  const plan = await readJson(file, experimentPlan, `plan ${file}`);
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  return {
    steps: plan.steps.map((step) =>
      step.kind === "config" ? { ...step, config: at(step.config) } : { ...step, study: at(step.study) },
    ),
  };
}
