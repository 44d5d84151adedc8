import { z } from "zod";

/** Bounds of a description that somebody sent: parameters are float32, and so are all values that they make. */
const LARGEST = 3.5e38;
const LARGEST_SQUARE = LARGEST ** 2;
/** A layer has some ten sites. */
const MOST_SITES = 2 ** 14;
const MOST_COLUMNS = 2 ** 17;
const LONGEST_NAME = 100;
const LONGEST_TEXT = 1000;

const magnitude = z.number().min(0).max(LARGEST);
const value = z.number().min(-LARGEST).max(LARGEST);
const square = z.number().min(0).max(LARGEST_SQUARE);

/** What is known of the values at one place of the program; `range` says how. */
export const siteRange = z.strictObject({
  range: z.enum(["calibrated", "certified"]),
  /** Margins are in it: it is as wide as somebody said, and is taken as it is. */
  widened: z.literal(true).optional(),
  /** Largest magnitude. */
  maxAbs: magnitude,
  /** Attention logits: lowest and highest relative to the pivot (key 0, or the row's own diagonal), and the largest spread of a row. */
  low: value.optional(),
  high: value.optional(),
  spread: magnitude.optional(),
  /** The same ends relative to the row's own diagonal, whichever pivot `low` and `high` are for. */
  diagonalLow: value.optional(),
  diagonalHigh: value.optional(),
  /** Norm inputs: smallest and largest mean square of a row (of a group). */
  minSquare: square.optional(),
  maxSquare: square.optional(),
  /** Activation inputs: the largest magnitude observed in each column (neuron), see column-bounds.ts; observed even where `maxAbs` is certified. */
  columns: z
    .string()
    .max(MOST_COLUMNS)
    .regex(/^[0-9a-z]+$/)
    .optional(),
});

export type SiteRange = z.infer<typeof siteRange>;

/** What is wrong with the ends of a range: one that ends before it begins would size a wire of no width. null: nothing. */
function wrongOrder(range: SiteRange): string | null {
  for (const [from, to] of [
    ["low", "high"],
    ["diagonalLow", "diagonalHigh"],
    ["minSquare", "maxSquare"],
  ] as const) {
    const [a, b] = [range[from], range[to]];
    if ((a === undefined) !== (b === undefined)) return `expected ${from} and ${to} or neither, got one`;
    if (a !== undefined && b !== undefined && a > b) return `expected ${from} at most ${to}, got ${a} and ${b}`;
  }
  return null;
}

/** A range in words, as errors name it. */
export function rangeText(kind: SiteKind, { maxAbs, low, high, spread, minSquare, maxSquare }: SiteRange): string {
  const short = (value: number | undefined): string => String(Number((value ?? 0).toPrecision(4)));
  if (kind === "norm" && minSquare !== undefined)
    return `mean squares from ${short(minSquare)} to ${short(maxSquare ?? maxAbs ** 2)}, values to ${short(maxAbs)}`;
  if (kind === "logits" && low !== undefined && high !== undefined)
    return `from ${short(low)} to ${short(high)}, ${short(spread ?? high - low)} apart in a row`;
  return `values to ${short(maxAbs)}`;
}

/** Ranges of all sites of the layers that run under SMPC. Sites are named by `SiteNames`. */
export const modelRanges = z.strictObject({
  /** Fingerprint of the model that they belong to. */
  model: z.string().max(LONGEST_TEXT),
  /** Where they come from: number of texts and tokens, for people. */
  source: z.string().max(LONGEST_TEXT),
  sites: z.record(z.string().max(LONGEST_NAME), siteRange).superRefine((sites, at) => {
    const count = Object.keys(sites).length;
    if (count > MOST_SITES)
      at.addIssue({ code: "custom", message: `expected at most ${MOST_SITES} sites, got ${count}` });
    for (const [site, range] of Object.entries(sites)) {
      const message = wrongOrder(range);
      if (message !== null) at.addIssue({ code: "custom", path: [site], message });
    }
  }),
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
    const site = this.upcoming(kind);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    return site;
  }

  /** The name that `next` will give, or the one `ahead` after it. */
  upcoming(kind: SiteKind, ahead = 0): string {
    return `${this.#prefix}.${kind}.${(this.#counts.get(kind) ?? 0) + ahead}`;
  }
}
