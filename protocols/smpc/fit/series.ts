import { z } from "zod";

/** f(x) = constant + linear part elsewhere + sum over harmonics h of cos[h] cos(h w x) + sin[h] sin(h w x), w = 2 pi / 2^periodBits. */
export interface Series {
  /** log2 of the period in units of real numbers; period = 2^(bits - fracBits) of the wire it reads. */
  readonly periodBits: number;
  readonly constant: number;
  /** Positive, ascending. */
  readonly harmonics: readonly number[];
  readonly cos: readonly number[];
  readonly sin: readonly number[];
  /** Largest error on [from, to], float64, as fitted. */
  readonly maxError: number;
  readonly from: number;
  readonly to: number;
  /** What it computes, for people: "gelu(x) - x/2", "log(x)". */
  readonly name: string;
}

/** A series that was written down. */
export const seriesSchema = z.strictObject({
  periodBits: z.int(),
  constant: z.number(),
  harmonics: z.array(z.int().min(1)),
  cos: z.array(z.number()),
  sin: z.array(z.number()),
  maxError: z.number().min(0),
  from: z.number(),
  to: z.number(),
  name: z.string(),
}) satisfies z.ZodType<Series>;
