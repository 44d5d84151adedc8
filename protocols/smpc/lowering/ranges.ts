import { z } from "zod";

/** What is known of the values at one place of the program; `range` says how. */
export const siteRange = z.strictObject({
  range: z.enum(["calibrated", "certified"]),
  /** Margins are in it: it is as wide as somebody said, and is taken as it is. */
  widened: z.literal(true).optional(),
  /** Largest magnitude. */
  maxAbs: z.number().min(0),
  /** Attention logits: lowest and highest relative to the pivot (key 0, or the row's own diagonal), and the largest spread of a row. */
  low: z.number().optional(),
  high: z.number().optional(),
  spread: z.number().optional(),
  /** The same ends relative to the row's own diagonal, whichever pivot `low` and `high` are for. */
  diagonalLow: z.number().optional(),
  diagonalHigh: z.number().optional(),
  /** Norm inputs: smallest and largest mean square of a row (of a group). */
  minSquare: z.number().optional(),
  maxSquare: z.number().optional(),
  /** Activation inputs: the largest magnitude observed in each column (neuron), see column-bounds.ts; observed even where `maxAbs` is certified. */
  columns: z
    .string()
    .regex(/^[0-9a-z]+$/)
    .optional(),
});

export type SiteRange = z.infer<typeof siteRange>;

/** Ranges of all sites of the layers that run under SMPC. Sites are named by `SiteNames`. */
export const modelRanges = z.strictObject({
  /** Fingerprint of the model that they belong to. */
  model: z.string(),
  /** Where they come from: number of texts and tokens, for people. */
  source: z.string(),
  sites: z.record(z.string(), siteRange),
});

export type ModelRanges = z.infer<typeof modelRanges>;

/** What is observed or bounded by name: the operations whose values get opened. */
export type SiteKind = "norm" | "activation" | "operand" | "softCap" | "logits" | "attended" | "out";

/**
 * Names of the sites of one layer ("layers.3.norm.0") or of the head, in program order: whoever walks the program in that order
 * (calibration, lowering, certificates) gives the same name to the same place.
 */
export class SiteNames {
  readonly #prefix: string;
  readonly #counts = new Map<SiteKind, number>();

  /** `prefix`: "layers.3" or "head". */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(kind: SiteKind): string {
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    return `${this.#prefix}.${kind}.${count}`;
  }
}
