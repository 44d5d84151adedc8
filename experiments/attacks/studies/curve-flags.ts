/** Flags that the studies of curves over layers share. */
import { z } from "zod";
import { CURVE_FILES, type CurveOptions } from "./curve-texts.ts";
import { STUDY_FLAGS } from "./study-flags.ts";

const whole = z.int().min(0);

export const CURVE_FLAGS = {
  model: z.string().default(CURVE_FILES.model),
  layers: z.array(whole).min(1).optional().describe("default: all"),
  prompts: whole.default(100),
  calibration: whole.default(10),
  tokens: whole.default(64),
  "training-tokens": whole.default(200_000),
  prefixes: whole.default(16),
  ...STUDY_FLAGS,
} as const;

/** What the flags ask for. */
export function curveOptions(
  values: Readonly<
    Record<"prompts" | "skip" | "calibration" | "tokens" | "training-tokens" | "prefixes" | "seed", number>
  > & {
    readonly model: string;
  },
): CurveOptions {
  return {
    ...CURVE_FILES,
    model: values.model,
    prompts: values.prompts,
    skip: values.skip,
    calibration: values.calibration,
    tokens: values.tokens,
    notSources: ["sotu"],
    trainingTokens: values["training-tokens"],
    windowTokens: 128,
    prefixes: values.prefixes,
    seed: values.seed,
  };
}
