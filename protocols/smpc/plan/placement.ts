import { z } from "zod";
import { PRECISIONS, type PrecisionName } from "../lowering/precision.ts";
import { evaluators } from "../lowering/evaluators.ts";
import { modelRanges } from "../lowering/ranges.ts";
import { TRADE_NAMES } from "../lowering/trade.ts";

/** Bounds of a description that somebody sent. */
const MOST_LAYERS = 4096;
const MOST_OUTPUTS = 8;
const MOST_CHECKS = 2 ** 14;
const MOST_COLUMNS = 2 ** 24;

const bits = z.int().min(1).max(64);
const fracBits = z.int().min(-64).max(128);
const name = z.string().min(1).max(100);

/** How shares enter and leave one SMPC segment; follows from its plan, and is told to CompNodes, which have no plan. */
export const segmentFormat = z.strictObject({
  /** Columns of the rows that enter and leave. */
  columns: z.int().min(1).max(MOST_COLUMNS),
  /** Input rows: words of inputBits at inputFracBits; 0: none are shared, the client has them. */
  inputBits: z.int().min(0).max(64),
  inputFracBits: fracBits,
  /** Output rows by name, [rows, columns]; values beyond a quarter of the ring have left the range of `site`. */
  outputs: z
    .array(z.strictObject({ name, site: name, columns: z.int().min(1).max(MOST_COLUMNS), bits, fracBits }))
    .max(MOST_OUTPUTS),
  /** Words that tell whether a row left its range: `perRow` of them a row, each near `expected`. */
  checks: z
    .array(
      z.strictObject({
        name,
        site: name,
        perRow: z.int().min(1).max(MOST_COLUMNS),
        bits,
        fracBits,
        expected: z.number(),
        tolerance: z.number().min(0),
      }),
    )
    .max(MOST_CHECKS),
});

export type SegmentFormat = z.infer<typeof segmentFormat>;

/** Which layers run under SMPC, between whom, and all that follows from the plans: public, in the session's description. */
export const smpcPlacement = z.strictObject({
  /** Ascending. */
  layers: z.array(z.int().min(0).max(MOST_LAYERS)).min(1).max(MOST_LAYERS),
  parties: z.int().min(2).max(8),
  /** Who deals: the client (which owns the prompt, so that this adds no trust), or a process of its own. */
  dealer: z.enum(["client", "dealer"]),
  /** Who evaluates what is not linear, one a layer. */
  evaluators: z.array(evaluators).max(MOST_LAYERS),
  /** How finely wires are cut. */
  precision: z.enum(Object.keys(PRECISIONS) as [PrecisionName, ...PrecisionName[]]),
  /** What their plans save, and spend for it. */
  trade: z.enum(TRADE_NAMES),
  /** Final norm and LM head on shares too; needs the last layer there. */
  head: z.boolean(),
  /** Who evaluates the final norm, where the head is on shares. */
  headEvaluator: z.enum(["parties", "client"]),
  /** Ranges of the sites of these layers, so that every party lowers the same plan. */
  ranges: modelRanges,
  /** One an SMPC segment, in order. */
  formats: z.array(segmentFormat).max(MOST_LAYERS),
});

export type SmpcPlacement = z.infer<typeof smpcPlacement>;
