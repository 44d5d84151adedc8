import { createHash } from "node:crypto";
import { z } from "zod";
import { checkPrefixed } from "../../../layers/prefix/prefix-keys-and-values.ts";
import { MOST_PREFIX_TOKENS } from "../../../layers/prefix/public-prefix.ts";
import type { BlockProgram } from "../../../layers/program.ts";
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { Session } from "../../cascade/session.ts";
import { checkMaskable, mergeScales } from "../../cascade/merge-scales.ts";
import { Schedule, type ScheduleInput } from "../../cascade/schedule.ts";
import { shardingRule } from "../../cascade/sharding.ts";
import type { ModelRanges, SiteRange } from "../../smpc/lowering/ranges.ts";
import { smpcPlacement } from "../../smpc/plan/placement.ts";
import { describeFields } from "../../wire/handshake.ts";

/** Version of the session's meaning: parties of different versions refuse one another. */
export const SESSION_VERSION = 6;

export const samplingRule = z.strictObject({
  temperature: z.number().min(0).max(100),
  topK: z.int().min(0),
  topP: z.number().gt(0).max(1),
  seed: z.int().min(0),
});

/**
 * The public description of a session: everything that the schedule and the costs depend on, nothing of the prompt but its public prefix
 * and the length of the rest.
 * All parties must hold the same one; its hash is compared when the session opens.
 */
export const sessionDescription = z.strictObject({
  version: z.literal(SESSION_VERSION),
  /** Fingerprint of the model's weights and shape. */
  model: z.string().min(1),
  r: shardingRule,
  s: shardingRule,
  /** Ids of the tokens that everybody may know, at positions 0 to P - 1: the prompt begins with them. */
  publicPrefix: z.array(z.int().min(0)).max(MOST_PREFIX_TOKENS).readonly(),
  /** N: secret tokens of the prompt, at positions P to P + N - 1. */
  promptLength: z.int().min(1),
  maxNewTokens: z.int().min(0),
  wire: z.enum(["float64", "float32", "float16"]),
  head: z.enum(["client", "compnode"]),
  output: z.enum(["last", "all"]),
  /** Only for a head at the CompNode. */
  sampling: samplingRule.nullable(),
  /** Nodes keep every tensor they see. For research: a node that records is a node that can be read. */
  views: z.boolean(),
  idleDeadlineMs: z.int().min(1),
  /** Scales of a masked merge; null: partial results are merged in the clear. */
  mergeScales: mergeScales.nullable(),
  /** Layers under SMPC; null: all in Cascade. */
  smpc: smpcPlacement.nullable(),
});

export type SessionDescription = z.infer<typeof sessionDescription>;

/**
 * The hash of each field, so that a difference can be named; the order of keys is no difference. Ranges are a field a layer: there are some
 * ten sites in each.
 */
export function descriptionHashes(description: SessionDescription): Record<string, string> {
  const { smpc } = description;
  const ranges = smpc === null ? null : { ...smpc.ranges, sites: rangesByLayer(smpc.ranges.sites) };
  return Object.fromEntries(
    Object.entries(describeFields({ ...description, smpc: smpc && { ...smpc, ranges } })).map(([field, value]) => [
      field,
      createHash("sha256").update(value).digest("hex").slice(0, 16),
    ]),
  );
}

/** Sites and their ranges, in lists by what comes before the kind of site: "layers.3", or "head". */
function rangesByLayer(sites: ModelRanges["sites"]): Record<string, (readonly [site: string, range: SiteRange])[]> {
  const layers: Record<string, (readonly [string, SiteRange])[]> = {};
  for (const [site, range] of Object.entries(sites).sort(([a], [b]) => (a < b ? -1 : 1)))
    (layers[site.split(".").slice(0, -2).join(".")] ??= []).push([site, range]);
  return layers;
}

/**
 * What the parties of a session work from. Throws Error where the session is longer than the model's context, or where layers that are
 * under SMPC don't fit it.
 */
export function sessionFrom(
  number: number,
  description: SessionDescription,
  spec: ModelSpec,
  program: BlockProgram,
): Session {
  const schedule = scheduleOf(description, spec, program);
  if (schedule.length > spec.maxPositions)
    throw new Error(
      `session: expected at most ${spec.maxPositions} positions (the model's context), got ${schedule.length}`,
    );
  checkPrefixed(spec, description.publicPrefix);
  checkPlacement(description, schedule);
  checkScales(description, schedule, spec);
  return {
    number,
    schedule,
    publicPrefix: description.publicPrefix,
    wire: description.wire,
    head: description.head,
    output: description.output,
    sampling: description.sampling,
    idleDeadlineMs: description.idleDeadlineMs,
    mergeScales: description.mergeScales,
    smpc: description.smpc,
  };
}

function checkPlacement({ smpc }: SessionDescription, { layers, segments }: Schedule): void {
  if (smpc === null) return;
  const count = segments.filter(({ kind }) => kind === "smpc").length;
  if (smpc.formats.length !== count)
    throw new Error(`smpc formats: expected ${count}, one a run of layers, got ${smpc.formats.length}`);
  if (smpc.head && smpc.layers.at(-1) !== layers - 1)
    throw new Error(
      `smpc head: expected the last layer (${layers - 1}) under SMPC, got layers ${smpc.layers.join(", ")}`,
    );
}

function checkScales({ mergeScales: scales }: SessionDescription, { beta }: Schedule, spec: ModelSpec): void {
  if (scales === null) return;
  checkMaskable(beta);
  const { fractionBits } = scales;
  if (fractionBits.length !== spec.layers || fractionBits.some((heads) => heads.length !== spec.kvHeads))
    throw new Error(
      `merge scales: expected ${spec.kvHeads} a layer for ${spec.layers} layers, got ${fractionBits.map(({ length }) => length).join(", ")}`,
    );
}

/** The schedule of a session on a model. */
export function scheduleOf(
  description: Omit<SessionDescription, "smpc"> & { readonly smpc: ScheduleInput["smpc"] },
  spec: ModelSpec,
  program: BlockProgram,
): Schedule {
  return new Schedule({
    r: description.r,
    s: description.s,
    prefixLength: description.publicPrefix.length,
    promptLength: description.promptLength,
    maxNewTokens: description.maxNewTokens,
    attention: Array.from({ length: spec.layers }, (_, layer) => program.attention(spec, layer)),
    masked: description.mergeScales !== null,
    smpc: description.smpc,
  });
}
