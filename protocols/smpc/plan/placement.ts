import { z } from "zod";
import { PRECISIONS, type PrecisionName } from "../lowering/precision.ts";
import { modelRanges } from "../lowering/ranges.ts";

const bits = z.int().min(1).max(64);
const fracBits = z.int().min(-64).max(128);

/** How shares enter and leave one SMPC segment; follows from its plan, and is told to CompNodes, which have no plan. */
export const segmentFormat = z.strictObject({
  /** Input rows: words of inputBits at inputFracBits. */
  inputBits: bits,
  inputFracBits: fracBits,
  /** Output rows by name, [rows, columns]; values beyond a quarter of the ring have left the range of `site`. */
  outputs: z
    .array(
      z.strictObject({ name: z.string().min(1), site: z.string().min(1), columns: z.int().min(1), bits, fracBits }),
    )
    .min(1),
  /** Words that tell whether a row left its range: `perRow` of them a row, each near `expected`. */
  checks: z.array(
    z.strictObject({
      name: z.string().min(1),
      site: z.string().min(1),
      perRow: z.int().min(1),
      bits,
      fracBits,
      expected: z.number(),
      tolerance: z.number().min(0),
    }),
  ),
});

export type SegmentFormat = z.infer<typeof segmentFormat>;

/** Which layers run under SMPC, between whom, and all that follows from the plans: public, in the session's description. */
export const smpcPlacement = z.strictObject({
  /** Ascending. */
  layers: z.array(z.int().min(0)).min(1),
  parties: z.int().min(2).max(8),
  /** Who deals: the client (which owns the prompt, so that this adds no trust), or a process of its own. */
  dealer: z.enum(["client", "dealer"]),
  /** How finely wires are cut. */
  precision: z.enum(Object.keys(PRECISIONS) as [PrecisionName, ...PrecisionName[]]),
  /** Final norm and LM head under SMPC too; needs the last layer under SMPC. */
  head: z.boolean(),
  /** Ranges of the sites of these layers, so that every party lowers the same plan. */
  ranges: modelRanges,
  /** One an SMPC segment, in order. */
  formats: z.array(segmentFormat),
});

export type SmpcPlacement = z.infer<typeof smpcPlacement>;
