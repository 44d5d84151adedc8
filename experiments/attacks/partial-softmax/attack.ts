/**
 * Partial softmax: what u, m and e of other shards say beside their sum.
 *
 * Functionality: at any layer, where a row sees one key of a shard, u / e *is* its value row, exactly; where it sees two and one was seen
 *   alone before, the other's follows from e (value-rows.ts). Tokens from these rows: at layer 0 the nearest value row of the
 *   vocabulary, which is exact and certifies itself; at later layers class means trained on public text.
 * Needs: partial results of the layer (nothing else; with a masked merge only a row that sees one key in all is left, its own).
 * Cost: none in forward passes; training walks the public text to the layer once.
 * Reference: none published. Controls: noiseView; prior: nothing is guessed. Test: tests/experiments/attacks/partial-softmax.test.ts
 */
import { z } from "zod";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { shards } from "../../../protocols/cascade/sharding.ts";
import { CandidateKeys } from "../sums/candidate-keys.ts";
import { mergedSum, shardSums, type MixedRowSource } from "../sums/mixed-rows.ts";
import { valueRowsOf, type ValueRow } from "./value-rows.ts";
import type { Attack, Preparation, PublicKnowledge } from "../../lab/attack.ts";
import { ClassMeans } from "../probes/class-means.ts";
import { firstRows } from "../probes/first-rows.ts";
import type { LinearProbe } from "../probes/linear-probe.ts";
import { nearestProbe } from "../probes/nearest.ts";
import { ProbeTraining } from "../probes/probe-training.ts";
import { rowReaders } from "../probes/row-kinds.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const schema = z.strictObject({
  tokens: z.int().min(1000).default(100_000).describe("tokens of the training text whose value rows probes learn from"),
  windowTokens: z.int().min(2).default(64).describe("tokens of a training window"),
  prefixes: z.int().min(1).default(2).describe("fixed texts after which each token of the vocabulary is read"),
  within: z
    .number()
    .positive()
    .default(1e-3)
    .describe("at layer 0: relative distance to a token's value row that certifies it"),
});
export type PartialSoftmaxOptions = z.infer<typeof schema>;

export const partialSoftmax: Attack<PartialSoftmaxOptions> = {
  name: "partial-softmax",
  strength: "single rows",
  reads: ["sum"],
  parseOptions(value) {
    return parseOptions("partial-softmax", schema, value);
  },
  async prepare(preparation, options) {
    const { layer } = preparation;
    const reader = layer === 0 ? await dictionaryReader(preparation) : await probeReader(preparation, options);
    return {
      async recover(view, knowledge) {
        const ids = view.ids();
        const guesses = new Map<number, readonly number[]>();
        const certified = new Set<number>();
        const rows = seenValueRows(view, knowledge, layer).filter(({ position }) => !ids.has(position));
        for (const { position, values, keys } of rows) {
          if (keys === 2 && guesses.has(position)) continue;
          const tokens = (position === 0 ? reader.first : reader.rest).rank(values, 5).ids;
          guesses.set(position, tokens);
          if (layer === 0 && reader.miss(tokens[0], values) <= options.within) certified.add(position);
        }
        const of = (count: 1 | 2): number => rows.filter(({ keys }) => keys === count).length;
        return { guesses, certified, forwardPasses: 0, figures: { valueRows: of(1), secondValueRows: of(2) } };
      },
      prior: () => Promise.resolve({ guesses: new Map(), certified: new Set<number>(), forwardPasses: 0, figures: {} }),
      close: () => Promise.resolve(),
    };
  },
};

/** Value rows of a layer that the partial results of a view give away; where it has none, its merged rows. */
export function seenValueRows(
  view: RecordedView,
  { model, schedule, description }: Pick<PublicKnowledge, "model" | "schedule" | "description">,
  layer: number,
): ValueRow[] {
  const attention = model.program.attention(model.spec, layer);
  const source: MixedRowSource = {
    attention,
    layer,
    keyShards: shards(schedule.s, 0, description.promptLength),
    word: description.wire === "float16" ? "float16" : "float32",
    onWire: (rows) => Float32Array.from(rows), // queries play no part here
  };
  const apart = shardSums(view, source);
  return valueRowsOf(apart.length > 0 ? apart : [mergedSum(view, source)], attention);
}

interface ValueReader {
  /** Of the first position, whose row is unlike all others. */
  readonly first: LinearProbe;
  readonly rest: LinearProbe;
  /** Distance to a token's own value row, relative to its size. */
  miss(token: number, values: Float64Array): number;
}

/** Layer 0: value rows are functions of the token alone (where positions are rotations), so nearest is exact. */
async function dictionaryReader({ engine }: Preparation): Promise<ValueReader> {
  const keys = await CandidateKeys.open(engine, "float32");
  const { v } = await keys.at(0);
  const probe = nearestProbe("l2", Float64Array.from(v), keys.width);
  return {
    first: probe,
    rest: probe,
    miss(token, values) {
      let [off, all] = [0, 0];
      values.forEach((value, i) => {
        const own = v[token * keys.width + i];
        off += (value - own) ** 2;
        all += own ** 2;
      });
      return Math.sqrt(off / all);
    },
  };
}

async function probeReader(
  { model, engine, layer, training, encode, seed }: Preparation,
  { tokens, windowTokens, prefixes }: PartialSoftmaxOptions,
): Promise<ValueReader> {
  const product = await Float64Product.open(1);
  try {
    const documents = training.documents.map((document) => encode(document));
    const work = await ProbeTraining.begin(engine, product, { documents, tokens, windowTokens, prefixes, seed });
    await work.goTo(layer);
    const readers = await rowReaders(model, layer, ["v"], product);
    const [{ statistics, references }] = await work.collect(readers);
    const means = await ClassMeans.fit(product, statistics, references);
    const [first] = await firstRows(engine, layer, readers);
    return { first, rest: means.probe({ priorRows: null, frequencyWeight: 1 }), miss: () => Infinity };
  } finally {
    await product.close();
  }
}
