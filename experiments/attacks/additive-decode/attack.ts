/**
 * Additive decode: tokens of other nodes from sums over a public dictionary.
 *
 * Functionality: where a layer's keys and values depend on (token, position) alone (block 0 in the clear), what a CompNode gets for a query
 *   row of its own is a sum over a dictionary that anyone can compute: hundreds of exact linear equations a row for the few tokens of
 *   the shard. They are solved for one token a position (sum-window.ts), in the order in which causality shows new keys
 *   (decode-sum.ts): own keys and those decoded before are known terms. The residual at rounding level, with every other token
 *   worse, certifies a position without the truth. No language model, and the gap plays no part.
 * Needs: ids and q rows of layer 0, and partial results (sums: shard) or attended rows alone (sums: merged, all that a masked merge
 *   leaves; every CompNode has them).
 * Cost: no forward pass (the vocabulary once through embedding and projections); about rows · heads · (headDim + 1) · vocabulary
 *   multiply-adds a position and round.
 * Reference: none published for this leak; the code is a sparse superposition code (Barron and Joseph, arXiv 1207.2406).
 * Controls: alpha 2, c 1 (positive), noiseView (nothing certified), prior: bigrams of the training text after known tokens, else its
 *   most frequent token.
 * Test: tests/experiments/attacks/additive-decode.test.ts
 */
import { z } from "zod";
import { shards } from "../../../protocols/cascade/sharding.ts";
import { remembered } from "../../../protocols/remembered.ts";
import { CandidateKeys, type RowWord } from "../sums/candidate-keys.ts";
import { decodeSum, type SumDecoding } from "./decode-sum.ts";
import { mergedSum, shardSums, type MixedRowSource } from "../sums/mixed-rows.ts";
import type { Attack, Preparation, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { seededChance } from "../../lab/statistics/bootstrap.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

const schema = z.strictObject({
  sums: z
    .enum(["seen", "shard", "merged"])
    .default("seen")
    .describe("shard: partial results; merged: attended rows alone; seen: partial results where the view has them"),
  prior: z.enum(["uniform", "unigram"]).default("unigram").describe("weights of tokens before anything is seen"),
  iterations: z.int().min(1).max(1000).default(30).describe("rounds of soft cancellation at most"),
  candidates: z.int().min(2).default(4096).describe("tokens a position that go on after a first look at all"),
  patience: z.int().min(0).max(64).default(2).describe("groups of rows for which an unproven position stays open"),
  restarts: z.int().min(0).max(100).default(1).describe("further beginnings where a window doesn't fit"),
  fit: z.number().positive().default(5).describe("largest residual of a row, in units of its noise, that fits"),
  margin: z.number().positive().default(25).describe("nats by which a certified token beats every other"),
});
export type AdditiveDecodeOptions = z.infer<typeof schema>;

export const additiveDecode: Attack<AdditiveDecodeOptions> = {
  name: "additive-decode",
  strength: "solved sums",
  reads: ["first sum"],
  parseOptions(value) {
    return parseOptions("additive-decode", schema, value);
  },
  async prepare(preparation, options) {
    const text = tokenCounts(preparation);
    const logPrior = logPriorOf(text.unigrams, options.prior === "uniform");
    const dictionaries = new Map<RowWord, Promise<CandidateKeys>>();
    return {
      async recover(view, knowledge, budget) {
        const word = knowledge.description.wire === "float16" ? "float16" : "float32";
        const keys = await remembered(dictionaries, word, () => CandidateKeys.open(preparation.engine, word));
        return decodeView(keys, word, view, knowledge, logPrior, options, budget.seed);
      },
      prior: (view, knowledge) => Promise.resolve(priorGuesses(view, knowledge, text)),
      close: () => Promise.resolve(),
    };
  },
};

/** Runs the attack on one view with a dictionary at hand; `logPrior` [vocabulary]. */
export async function decodeView(
  keys: CandidateKeys,
  word: RowWord,
  view: RecordedView,
  { schedule, description }: Pick<PublicKnowledge, "schedule" | "description">,
  logPrior: Float64Array,
  options: AdditiveDecodeOptions,
  seed: number,
): Promise<Recovery> {
  const source: MixedRowSource = {
    attention: keys.attention,
    layer: 0,
    keyShards: shards(schedule.s, 0, description.promptLength),
    word,
    onWire: (rows) => keys.onWire(rows),
  };
  const apart = options.sums === "merged" ? [] : shardSums(view, source);
  const sums = apart.length > 0 || options.sums === "shard" ? apart : [mergedSum(view, source)];
  const chance = seededChance(`additive ${seed}`);
  const ids = view.ids();
  const all: SumDecoding[] = [];
  for (const sum of sums) all.push(await decodeSum(keys, word, sum, ids, logPrior, options, chance));
  const certified = new Set(all.flatMap((decoding) => [...decoding.certified]));
  return {
    guesses: new Map(all.flatMap((decoding) => [...decoding.guesses])),
    certified,
    forwardPasses: 0,
    figures: { windows: all.reduce((total, { windows }) => total + windows, 0), certifiedPositions: certified.size },
  };
}

interface TokenCounts {
  /** [vocabulary] */
  readonly unigrams: Float64Array;
  /** Token -> its most frequent successor. */
  readonly successors: ReadonlyMap<number, number>;
}

function tokenCounts({ training, encode, model }: Preparation): TokenCounts {
  const unigrams = new Float64Array(model.spec.vocabulary);
  const pairs = new Map<number, Map<number, number>>();
  for (const document of training.documents) {
    const ids = encode(document);
    ids.forEach((id, at) => {
      unigrams[id]++;
      if (at === 0) return;
      const after = pairs.get(ids[at - 1]) ?? new Map<number, number>();
      pairs.set(ids[at - 1], after.set(id, (after.get(id) ?? 0) + 1));
    });
  }
  const successors = new Map<number, number>();
  for (const [token, after] of pairs)
    successors.set(token, [...after].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0]);
  return { unigrams, successors };
}

/** Laplace's rule on counts [vocabulary]; uniform where asked. */
export function logPriorOf(counts: Float64Array, isUniform: boolean): Float64Array {
  const total = counts.reduce((a, b) => a + b, 0) + counts.length;
  return counts.map((count) => (isUniform ? -Math.log(counts.length) : Math.log((count + 1) / total)));
}

/** The control: what the known ids and the training text say. */
function priorGuesses(view: RecordedView, { description }: PublicKnowledge, text: TokenCounts): Recovery {
  const ids = view.ids();
  const common = text.unigrams.indexOf(text.unigrams.reduce((a, b) => Math.max(a, b), 0));
  const guesses = new Map<number, number[]>();
  for (let position = 0; position < description.promptLength; position++) {
    if (ids.has(position)) continue;
    const before = ids.get(position - 1);
    guesses.set(position, [(before === undefined ? undefined : text.successors.get(before)) ?? common]);
  }
  return { guesses, certified: new Set(), forwardPasses: 0, figures: {} };
}
