import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import type { Algebra } from "../../../layers/program.ts";
import { SiteNames } from "../lowering/ranges.ts";
import { observeAttention } from "./observe-attention.ts";
import { observedRows, type Batch } from "./batch.ts";
import { maxAbs, observingAlgebra, type Block } from "./observing-algebra.ts";
import {
  headPart,
  layerPart,
  loadPart,
  type LayerSpan,
  type ProgramPart,
  type ReadableModel,
} from "./readable-model.ts";
import { SiteStatistics } from "./site-statistics.ts";

const THREADS = 2;

/**
 * Runs some layers in float64 and records the range of every value that SMPC would open there, layer by layer over all batches, so
 * that each parameter is read once. Batches without `rows` enter at `from` = 0.
 */
export async function observeLayers(
  model: ReadableModel,
  batches: readonly Batch[],
  span: LayerSpan,
  onStep: (text: string) => void = () => {},
): Promise<SiteStatistics> {
  const { spec, program } = model;
  const statistics = new SiteStatistics();
  const product = await Float64Product.open(THREADS);
  const run = async <T>(
    part: ProgramPart,
    each: (algebra: Algebra<Promise<Block>>, names: SiteNames, batch: number) => Promise<T>,
    prefix: string,
  ): Promise<T[]> => {
    const parameters = await loadPart(model, part);
    const results: T[] = [];
    for (const [i, batch] of batches.entries()) {
      const names = new SiteNames(prefix);
      const algebra = observingAlgebra({
        parameters,
        product: (x, inner, y) => product.times(x, inner, y),
        ids: batch.ids,
        positions: batch.lengths.flatMap((length) => Array.from({ length }, (_, t) => t)),
        names,
        statistics,
        observed: observedRows(batch),
      });
      results.push(await each(algebra, names, i));
    }
    return results;
  };
  try {
    let states = await run(
      (a) => batches.some(({ rows }) => rows === null) && program.embed(a, spec),
      async (a, _names, i) => {
        const { rows } = batches[i];
        return rows === null ? await program.embed(a, spec) : { data: rows, columns: spec.width };
      },
      "embed",
    );
    for (let layer = span.from; layer < span.to; layer++) {
      onStep(`calibrating layer ${layer}`);
      states = await run(
        layerPart(model, layer),
        async (a, names, i) => {
          const x = Promise.resolve(states[i]);
          const projections = program.pre(a, spec, layer, x);
          const [q, k, v] = await Promise.all([projections.q, projections.k, projections.v]);
          const attention = program.attention(spec, layer);
          const attended = observeAttention(attention, { q, k, v }, batches[i], names, statistics);
          const out = await program.post(a, spec, layer, x, Promise.resolve(attended));
          statistics.note(names.next("out"), { maxAbs: maxAbs(observedRows(batches[i])(out).data) });
          return out;
        },
        `layers.${layer}`,
      );
    }
    if (span.head) {
      onStep("calibrating the head");
      await run(
        headPart(model),
        async (a, names, i) => {
          const finished = await program.finish(a, spec, Promise.resolve(states[i]));
          statistics.note(names.next("out"), { maxAbs: maxAbs(observedRows(batches[i])(finished).data) });
          if (program.logits === null) return;
          const logits = await program.logits(a, spec, Promise.resolve(finished));
          statistics.note(names.next("out"), { maxAbs: maxAbs(observedRows(batches[i])(logits).data) });
        },
        "head",
      );
    }
    return statistics;
  } finally {
    await product.close();
  }
}
