/** Command-line flags that the studies of curves over layers share, as `parseArgs` takes them. */
import { CURVE_FILES, type CurveOptions } from "./curve-texts.ts";

export const CURVE_FLAGS = {
  model: { type: "string", default: CURVE_FILES.model },
  layers: { type: "string" },
  prompts: { type: "string", default: "100" },
  skip: { type: "string", default: "0" },
  calibration: { type: "string", default: "10" },
  tokens: { type: "string", default: "64" },
  "training-tokens": { type: "string", default: "200000" },
  prefixes: { type: "string", default: "16" },
  seed: { type: "string", default: "1" },
  out: { type: "string" },
} as const;

/** What the flags ask for. */
export function curveOptions(
  values: Readonly<
    Record<"model" | "prompts" | "skip" | "calibration" | "tokens" | "training-tokens" | "prefixes" | "seed", string>
  >,
): CurveOptions {
  return {
    ...CURVE_FILES,
    model: values.model,
    prompts: Number(values.prompts),
    skip: Number(values.skip),
    calibration: Number(values.calibration),
    tokens: Number(values.tokens),
    notSources: ["sotu"],
    trainingTokens: Number(values["training-tokens"]),
    windowTokens: 128,
    prefixes: Number(values.prefixes),
    seed: Number(values.seed),
  };
}
