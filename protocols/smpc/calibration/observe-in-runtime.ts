import type { Model } from "../../../layers/model.ts";
import { RotaryTableCache } from "../../../layers/onnx/position-tables.ts";
import { Tensor as OrtTensor } from "../../../layers/onnx/runtime.ts";
import { feedIntegers, GraphSession } from "../../../layers/onnx/session.ts";
import { embedGraph } from "../../../layers/onnx/stage-graphs.ts";
import { prepareWeights, type WeightFile } from "../../../layers/onnx/weight-file.ts";
import type { AttentionSpec } from "../../../layers/program.ts";
import { TimeLeft } from "../../time-left.ts";
import { noteSites } from "./note-sites.ts";
import type { Batch } from "./batch.ts";
import { observingHeadGraph, observingLayerGraph, type ObservedSite, type ObservingGraph } from "./observing-graph.ts";
import { SiteStatistics } from "./site-statistics.ts";

const THREADS = 2;

/**
 * Runs the first layers (and the head after all of them) through ONNX Runtime in float32 and records the range of every value that SMPC
 * would open there: what `observeLayers` reads in float64, five times as fast, a layer at a time over all batches. Throws RangeError
 * for a token id that the vocabulary doesn't have, or naming a site for a value that is not finite.
 */
export async function observeInRuntime(
  model: Model,
  batches: readonly Batch[],
  { to, head }: { readonly to: number; readonly head: boolean },
  onStep: (text: string) => void = () => {},
): Promise<SiteStatistics> {
  const { spec, program } = model;
  const statistics = new SiteStatistics();
  const weights = await prepareWeights(model);
  const rotary = spec.rope === null ? null : new RotaryTableCache(spec.rope);
  const laidOut = batches.map((batch) => layOut(batch));
  let states = await embedded(model, weights, batches, laidOut);
  const clock = new TimeLeft((to + (head ? 1 : 0)) * batches.length);
  const through = async (
    graph: ObservingGraph,
    what: string,
    attention: AttentionSpec | null,
  ): Promise<Float32Array[]> => {
    const session = await GraphSession.open(graph.bytes, { threads: THREADS, weightFolder: weights.folder });
    const out: Float32Array[] = [];
    try {
      for (const [i, rows] of laidOut.entries()) {
        onStep(`calibrating ${what}${clock.text}`);
        const feeds: Record<string, OrtTensor> = {
          x: new OrtTensor("float32", states[i], [1, rows.count, spec.width]),
        };
        if (graph.asksObserved) feeds.observed = new OrtTensor("float32", rows.observed, [1, 1, rows.count]);
        if (attention !== null) {
          feeds.mask = new OrtTensor("float32", maskOf(attention, rows), [rows.count, rows.count]);
          feeds.first = feedIntegers(rows.first);
          Object.assign(feeds, rotary?.get(rows.positions));
        }
        const shapes = shapesOf(graph.sites, rows.count, attention);
        if (attention !== null) shapes.next = [1, rows.count, spec.width];
        const results = await session.run(feeds, shapes);
        noteSites(
          graph.sites,
          results,
          { rows: rows.count, observed: rows.observed, attention, positions: rows.positions },
          statistics,
        );
        if (attention !== null) out.push(results.next);
        clock.done();
      }
    } finally {
      await session.close();
    }
    return out;
  };
  for (let layer = 0; layer < to; layer++)
    states = await through(
      observingLayerGraph(model, weights, layer),
      `layer ${layer} of ${spec.layers}`,
      program.attention(spec, layer),
    );
  if (head) await through(observingHeadGraph(model, weights), "the head", null);
  return statistics;
}

/** Rows of a batch, one sequence under the other. */
interface LaidOut {
  readonly count: number;
  readonly positions: readonly number[];
  /** The first row of each row's sequence. */
  readonly first: readonly number[];
  /** 1 where a row is observed, else 0. */
  readonly observed: Float32Array;
}

function layOut({ lengths, publicRows }: Batch): LaidOut {
  const [positions, first, observed]: [number[], number[], number[]] = [[], [], []];
  for (const [at, length] of lengths.entries()) {
    const start = positions.length;
    for (let t = 0; t < length; t++) {
      positions.push(t);
      first.push(start);
      observed.push(t < (publicRows?.[at] ?? 0) ? 0 : 1);
    }
  }
  return { count: positions.length, positions, first, observed: Float32Array.from(observed) };
}

/** [rows, rows]: 0 where a row sees another of its sequence, else -Infinity. */
function maskOf({ causal, window }: AttentionSpec, { count, positions, first }: LaidOut): Float32Array {
  const mask = new Float32Array(count * count).fill(-Infinity);
  for (let r = 0; r < count; r++) {
    const from = first[r] + (window === null ? 0 : Math.max(0, positions[r] - window + 1));
    let to = r + 1;
    if (!causal) while (to < count && first[to] === first[r]) to++;
    mask.fill(0, r * count + from, r * count + to);
  }
  return mask;
}

async function embedded(
  model: Model,
  weights: WeightFile,
  batches: readonly Batch[],
  laidOut: readonly LaidOut[],
): Promise<Float32Array[]> {
  const { spec } = model;
  const session = await GraphSession.open(embedGraph(model, weights), {
    threads: THREADS,
    weightFolder: weights.folder,
  });
  try {
    const states: Float32Array[] = [];
    for (const [i, { ids }] of batches.entries()) {
      const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= spec.vocabulary);
      if (wrong !== undefined)
        throw new RangeError(`token id: expected an integer from 0 to ${spec.vocabulary - 1}, got ${wrong}`);
      const feeds: Record<string, OrtTensor> = { ids: feedIntegers(ids) };
      if (spec.rope === null) feeds.positions = feedIntegers(laidOut[i].positions);
      states.push((await session.run(feeds, { x: [1, ids.length, spec.width] })).x);
    }
    return states;
  } finally {
    await session.close();
  }
}

function shapesOf(
  sites: readonly ObservedSite[],
  rows: number,
  attention: AttentionSpec | null,
): Record<string, readonly number[]> {
  const shapes: Record<string, readonly number[]> = {};
  for (const observed of sites) {
    const { site } = observed;
    if (observed.kind === "columns") {
      shapes[`${site}.columns`] = [observed.columns];
    } else if (observed.kind === "logits") {
      const { heads, kvHeads } = attention!;
      for (const name of observed.capped ? ["", ".uncapped"] : [""])
        for (const end of ["most", "least"]) shapes[`${site}.${end}${name}`] = [kvHeads, heads / kvHeads, rows];
      for (const own of ["diagonal", "first"]) shapes[`${site}.${own}`] = [rows, kvHeads, heads / kvHeads];
    } else {
      for (const end of ["most", "least"]) shapes[`${site}.${end}`] = [1, rows];
      if (observed.kind === "norm") shapes[`${site}.square`] = [1, rows, observed.groups];
    }
  }
  return shapes;
}
