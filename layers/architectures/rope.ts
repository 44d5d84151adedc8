import { z } from "zod";
import type { Rope } from "../model-spec.ts";
import { harmless, ModelConfigError, positive, size } from "./config-reader.ts";

/** Rotary positions as config.json says them, in both styles: `rope_theta` + `rope_scaling`, or `rope_parameters`. */

const shared = { rope_theta: positive.optional(), partial_rotary_factor: z.literal(1).optional() };
const plainRope = z.strictObject({ rope_type: z.literal("default"), ...shared });
const linearRope = z.strictObject({
  rope_type: z.literal("linear"),
  factor: positive,
  original_max_position_embeddings: harmless,
  ...shared,
});
const llama3Rope = z.strictObject({
  rope_type: z.literal("llama3"),
  factor: positive,
  low_freq_factor: positive,
  high_freq_factor: positive,
  original_max_position_embeddings: size,
  ...shared,
});

const SCHEMAS = [plainRope, linearRope, llama3Rope] as const;

type RopeParameters = z.output<typeof plainRope> | z.output<typeof linearRope> | z.output<typeof llama3Rope>;

/** `rope_scaling` (older style, its type under "type" or "rope_type") and `rope_parameters` (newer style). */
const ropeParameters = z.record(z.string(), z.unknown()).transform((raw, context): RopeParameters => {
  const { type, ...rest } = raw;
  const named = {
    rope_type: type ?? "default",
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)),
  };
  const parsed = SCHEMAS.find(({ shape }) => shape.rope_type.value === named.rope_type)?.safeParse(named);
  if (parsed?.success === true) return parsed.data;
  const supported = SCHEMAS.map(({ shape }) => `"${shape.rope_type.value}"`).join(", ");
  const faults = parsed?.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  context.addIssue({
    code: "custom",
    input: raw,
    params: { expected: faults?.join("; ") ?? `rope_type one of ${supported}` },
  });
  return z.NEVER;
});

/** The keys of a config that say how positions rotate. */
export const ropeKeys = {
  rope_theta: positive.nullish(),
  rope_scaling: ropeParameters.nullish(),
  rope_parameters: ropeParameters.nullish(),
  partial_rotary_factor: z.literal(1).nullish(),
} as const;

/** The base of the frequencies where a config names none, as in transformers and llama.cpp. */
const DEFAULT_THETA = 10_000;

/**
 * What a config leaves open about rotary positions and how it is taken, a sentence each for people: without `rope_theta` a model that
 * was trained with another one runs, and speaks nonsense.
 */
export function ropeNotes(config: Readonly<Record<string, unknown>>, origin: string): string[] {
  const named = [config, config.rope_parameters, config.rope_scaling].some(
    (keys) => typeof (keys as { rope_theta?: unknown } | null | undefined)?.rope_theta === "number",
  );
  return named
    ? []
    : [
        `${origin}: rope_theta: expected one, got none; ${DEFAULT_THETA} is taken, as transformers does, which may not be the model's`,
      ];
}

/**
 * The rotary frequencies [headDim / 2] of a config; theta defaults to 10 000 as in transformers.
 * Throws ModelConfigError when the two styles are both given and differ, or headDim is odd.
 */
export function readRope(
  config: { rope_theta?: number | null; rope_scaling?: RopeParameters | null; rope_parameters?: RopeParameters | null },
  headDim: number,
  origin: string,
): Rope {
  const scaling = config.rope_parameters ?? config.rope_scaling ?? { rope_type: "default" as const };
  const theta = scaling.rope_theta ?? config.rope_theta ?? DEFAULT_THETA;
  for (const [key, value] of [
    ["rope_theta", config.rope_theta],
    ["rope_scaling", config.rope_scaling],
  ] as const) {
    const same = key === "rope_theta" ? value === theta : isSame(value, scaling);
    if (value !== null && value !== undefined && !same) {
      throw new ModelConfigError(
        origin,
        `key ${key}: expected what rope_parameters says, got ${JSON.stringify(value)} beside ${JSON.stringify(config.rope_parameters)}`,
      );
    }
  }
  if (headDim % 2 !== 0)
    throw new ModelConfigError(origin, `key head_dim: expected an even size for rotary positions, got ${headDim}`);
  return {
    inverseFrequencies: Array.from({ length: headDim / 2 }, (_, i) => scaled(theta ** ((-2 * i) / headDim), scaling)),
  };
}

/** One frequency after scaling. llama3: low frequencies are divided by the factor, high ones kept, those between blended (Llama 3.1). */
function scaled(frequency: number, scaling: RopeParameters): number {
  if (scaling.rope_type === "default") return frequency;
  if (scaling.rope_type === "linear") return frequency / scaling.factor;
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: context } = scaling;
  const turns = (context * frequency) / (2 * Math.PI);
  if (turns < low) return frequency / factor;
  if (turns > high) return frequency;
  const kept = (turns - low) / (high - low);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

const isSame = (a: unknown, b: RopeParameters): boolean => {
  const { rope_theta: _a, ...x } = (a ?? {}) as RopeParameters;
  const { rope_theta: _b, ...y } = b;
  return JSON.stringify(x, Object.keys(x).sort()) === JSON.stringify(y, Object.keys(y).sort());
};
