import { z } from "zod";
import type { SamplingRule } from "../../../layers/sampling.ts";
import { shardingFrom, shardingRule, type ShardingRule } from "../../cascade/sharding.ts";
import { PRECISIONS, type PrecisionName } from "../../smpc/lowering/precision.ts";
import { TRADE_NAMES } from "../../smpc/lowering/trade.ts";
import { PLACEMENT, placementFault, SMPC_LAYERS } from "../session/layer-placement.ts";
import { pathText } from "./path-text.ts";
import { PRESET_NAMES, PRESETS, withPreset } from "./presets.ts";
import { schemaFaults } from "./schema-faults.ts";

/** Of CompNodes, and of shards of the AttnNodes, which are its square. */
const MOST_PARTS = 64;
const parts = z.int().min(1).max(MOST_PARTS);

/** Everything that a run can be told, by flags or by a config file; unknown keys are errors. */
export const runConfig = z.strictObject({
  preset: z
    .enum(PRESET_NAMES)
    .optional()
    .describe(
      `settings by a name, which other flags go over; ${PRESET_NAMES.map((name) => `${name}: ${PRESETS[name].says}`).join("; ")} (default: hybrid on the model that comes with weir where there are SMPC parties, else cascade)`,
    ),
  model: pathText("path")
    .optional()
    .describe("folder with config.json, or a .gguf file (default: the model in models/default)"),
  alpha: parts.default(4).describe("number of CompNodes"),
  c: z.int().min(1).max(4096).default(2).describe("tokens in a cluster of the (c, delta)-sharding; delta = c * alpha"),
  m: parts.default(1).describe("parts that every cluster is split into for the AttnNodes; beta = m * alpha"),
  beta: parts.optional().describe("shards of the AttnNodes by clusters of c over beta parts, instead of the m-split"),
  r: shardingRule.optional().describe("any R-sharding, instead of alpha and c"),
  s: shardingRule.optional().describe("any S-sharding, instead of m and beta"),
  wire: z.enum(["float32", "float16"]).default("float32").describe("word of the tensors on the wire"),
  merge: z
    .enum(["plain", "masked"])
    .default("plain")
    .describe(
      "how partial results become a row: plain, each shard's to the CompNode; masked, their sum alone (needs beta of 2 or more)",
    ),
  head: z
    .enum(["client", "compnode", "smpc", "delegated"])
    .default("client")
    .describe(
      "who turns the last row into a token; smpc: logits come out of the SMPC parties, which norm the row too; delegated: they multiply by the table alone; both need the last layer on shares",
    ),
  placement: z
    .string()
    .regex(PLACEMENT, "LAYERS=HOW, parted by semicolons")
    .superRefine((text, context) => {
      const fault = placementFault(text);
      if (fault !== null) context.addIssue({ code: "custom", message: fault.expected, params: fault });
    })
    .meta({ title: "placement" })
    .optional()
    .describe(
      'where each layer is computed, such as "first:1=smpc; last:2=delegated"; cascade: clear rows sharded over nodes (the others); smpc: on shares between the SMPC parties; delegated: these multiply by matrices, the client does the rest; smpc:attention+norm+activation: the client evaluates those; all=plain: no parties',
    ),
  smpcLayers: z
    .string()
    .regex(SMPC_LAYERS, "none, all, first:K, last:K or a list such as 0,3")
    .meta({ title: "layers" })
    .optional()
    .describe("short for a placement LAYERS=smpc: none, all, first:K, last:K, or a list such as 0,3-5"),
  smpcPrecision: z
    .enum(Object.keys(PRECISIONS) as [PrecisionName, ...PrecisionName[]])
    .default("fine")
    .describe(
      "how finely words on shares are cut: fine costs more bytes and is eight times as exact; finest: delegated products too",
    ),
  smpcTrade: z
    .enum(TRADE_NAMES)
    .default("standard")
    .describe("what layers under SMPC save, bytes online, rounds or dealt words, and spend the others for"),
  parties: z.int().min(2).max(8).default(2).describe("SMPC parties, where layers run under SMPC"),
  dealer: z
    .enum(["client", "dealer"])
    .default("client")
    .describe("who deals correlations to the SMPC parties: the client, or a party of its own"),
  publicPrefix: z
    .string()
    .min(1)
    .meta({ title: "text|@file|none" })
    .optional()
    .describe(
      "text before the prompt that everybody may know, with --chat its system message (default: with --chat what the template writes before the prompt)",
    ),
  maxTokens: z.int().min(1).max(100_000).default(48).describe("most tokens to generate"),
  temperature: z.number().min(0).max(100).default(0).describe("of the sampling; 0: greedy"),
  topK: z.int().min(0).default(0).describe("sample among the k most likely tokens; 0: all"),
  topP: z.number().gt(0).max(1).default(1).describe("sample among the most likely tokens of this total probability"),
  seed: z.int().min(0).default(0).describe("seed of the sampling"),
  place: z
    .enum(["processes", "sockets", "memory"])
    .default("processes")
    .describe("parties: a process each, WebSockets in one process, or memory"),
  topology: pathText("file").optional().describe("topology file of nodes that run elsewhere"),
  waitSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .describe("how long to wait for a topology's nodes while they serve another client; 0: not at all"),
  cert: pathText("file").optional().describe("PEM file: this party's certificate, for wss://"),
  key: pathText("file").optional().describe("PEM file: its private key"),
  ca: pathText("file").optional().describe("PEM file: who signs the certificates of the others"),
  insecurePlaintext: z
    .boolean()
    .default(false)
    .describe("allow ws:// between machines: anyone on the way reads and alters all"),
  insecureColocation: z
    .boolean()
    .default(false)
    // record: cells-share-words.ndjson: controls.positive.mean == 1
    .describe("allow a topology in which one machine can open the shares of the SMPC parties: it then reads all"),
  insecureUncheckedAnswers: z
    .boolean()
    .default(false)
    // test: tests/protocols/fusion/caught-servers.test.ts
    .describe("believe what SMPC parties answer of delegated layers: one that computes wrong or cheats is not noticed"),
  views: pathText("folder").optional().describe("folder in which every party keeps the tensors that it sees"),
  idleDeadlineMs: z
    .int()
    .min(1)
    .default(600_000)
    .meta({ title: "ms" })
    .describe("how long nodes wait for a step to begin"),
});

export type RunConfig = z.infer<typeof runConfig>;

/**
 * Checks a run config and fills in what its preset says, and the defaults. Throws Error with a line for each fault, naming its key: `alpha: expected at least 1,
 * got 0`; `from` goes before it, and `name` says what a key is called where it came from.
 */
export function parseRunConfig(value: unknown, from = "", name?: (key: string) => string): RunConfig {
  const parsed = runConfig.safeParse(isObject(value) ? withPreset(value) : value);
  if (parsed.success) return parsed.data;
  throw new Error(from + schemaFaults(parsed.error, runConfig, value, { what: "content", name }));
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Where layers are computed, in the words of `placement`. Throws Error where a config says it twice. */
export function placementText({ placement, smpcLayers }: Pick<RunConfig, "placement" | "smpcLayers">): string {
  if (placement !== undefined && smpcLayers !== undefined)
    throw new Error(
      `placement and smpcLayers: expected one of them, got ${placement} and ${smpcLayers}; smpcLayers is short for ${smpcLayers}=smpc`,
    );
  if (placement !== undefined) return placement;
  return smpcLayers === undefined || smpcLayers === "none" ? "all=cascade" : `${smpcLayers}=smpc`;
}

/** How the config chooses tokens. */
export function samplingOf({ temperature, topK, topP, seed }: RunConfig): SamplingRule {
  return { temperature, topK, topP, seed };
}

/** The two shardings that a config asks for. Throws Error naming keys that exclude one another, or shardings of too many parts. */
export function shardingsOf(config: RunConfig): { r: ShardingRule; s: ShardingRule } {
  const shardings = chosenShardings(config);
  for (const side of ["r", "s"] as const) {
    const { parts } = shardingFrom(shardings[side]);
    if (parts > MOST_PARTS)
      throw new Error(
        `${side === "r" ? "alpha" : "beta"}: expected at most ${MOST_PARTS} shards, got ${parts}; beta is m * alpha by default`,
      );
  }
  return shardings;
}

function chosenShardings(config: RunConfig): { r: ShardingRule; s: ShardingRule } {
  if (config.beta !== undefined && config.m !== 1)
    throw new Error(
      `beta and m: expected one of them, got beta ${config.beta} and m ${config.m}; beta is m * alpha by default`,
    );
  const r: ShardingRule = config.r ?? { rule: "clusters", parts: config.alpha, c: config.c };
  if (config.s !== undefined) return { r, s: config.s };
  if (config.beta !== undefined) return { r, s: { rule: "clusters", parts: config.beta, c: config.c } };
  if (config.m === 1) return { r, s: r };
  if (r.rule === "split" || r.rule === "pairs-first")
    throw new Error(`m: expected an R-sharding that is not a split itself, got ${r.rule}; give s in full`);
  return { r, s: { rule: "split", m: config.m, of: r } };
}
