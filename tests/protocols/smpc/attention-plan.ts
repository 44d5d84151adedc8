import assert from "node:assert/strict";
import type { AttentionSpec } from "../../../layers/program.ts";
import { visibleKeys, kvHeadOf } from "../../../protocols/smpc/plan/attention-layout.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { lowerAttention } from "../../../protocols/smpc/lowering/attention.ts";
import { Lowering } from "../../../protocols/smpc/lowering/lowering.ts";
import type { Precision } from "../../../protocols/smpc/lowering/precision.ts";
import { SiteNames, type SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { PlanBuilder } from "../../../protocols/smpc/plan/plan-builder.ts";

export interface AttentionRun {
  readonly spec: AttentionSpec;
  readonly rows: number;
  readonly past: number;
  readonly sequenceLimit: number;
  readonly precision: Precision;
  readonly ranges: { readonly logits: SiteRange; readonly attended: SiteRange };
}

/** One visible entry. */
export interface ExactWeight {
  readonly head: number;
  readonly query: number;
  readonly key: number;
  readonly logit: number;
  readonly weight: number;
}

const FRAC_BITS = 16;

/** A plan of one attention without its projections: inputs "q", "k", "v", output "rows" [rows, heads * headDim]. */
export function attentionPlan({ spec, rows, past, sequenceLimit, precision, ranges }: AttentionRun): Plan {
  const builder = new PlanBuilder();
  const refusals: string[] = [];
  const at = new Lowering({
    builder,
    precision,
    rows,
    firstPosition: past,
    statistics: new ParameterStatistics(() => {
      throw new Error("attention without projections: expected to read no parameter");
    }),
    ranges: (site) => (site.includes("logits") ? ranges.logits : ranges.attended),
    names: new SiteNames("layers.0"),
    series: "fitted",
    refusals,
  });
  const input = (name: string, heads: number) => {
    const out = builder.share(rows, heads * spec.headDim, FRAC_BITS);
    builder.emit({ gate: "input", out, name });
    return at.value(out);
  };
  const projections = { q: input("q", spec.heads), k: input("k", spec.kvHeads), v: input("v", spec.kvHeads) };
  const attended = lowerAttention(at, spec, projections, { layer: 0, prefix: 0, past, sequenceLimit });
  builder.emit({ gate: "output", x: at.atFracBits(at.settle(attended), FRAC_BITS), name: "rows", bits: 24 });
  assert.deepEqual(refusals, []);
  return builder.finish();
}

/** Weights of every visible entry in float64, head-major; q [rows, heads * headDim], k [past + rows, kvHeads * headDim]. */
export function exactWeights(
  { spec, rows, past }: Pick<AttentionRun, "spec" | "rows" | "past">,
  q: Float64Array,
  k: Float64Array,
): ExactWeight[] {
  const { heads, kvHeads, headDim, scale } = spec;
  const layout = { ...spec, queries: rows, past };
  const all: ExactWeight[] = [];
  for (let head = 0; head < heads; head++)
    for (let query = 0; query < rows; query++) {
      const { first, end } = visibleKeys(layout, query);
      const logits = Array.from({ length: end - first }, (_, at) => {
        let sum = 0;
        for (let d = 0; d < headDim; d++)
          sum +=
            q[(query * heads + head) * headDim + d] *
            k[((first + at) * kvHeads + kvHeadOf(layout, head)) * headDim + d];
        return sum * scale;
      });
      const largest = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
      logits.forEach((logit, at) =>
        all.push({ head, query, key: first + at, logit, weight: Math.exp(logit - largest) / total }),
      );
    }
  return all;
}
