/**
 * Rank match: vocabulary matching through partial results, at any layer and for tokens whose rows the party never saw.
 *
 * Functionality: token by token from the start. At an own position the candidate's row is held against the observed one. At a position of
 *   another node, the shard's partial results for the party's next own rows hold the position's key and at most a cluster's other unknown
 *   ones. A candidate's key and value are computed after the tokens recovered so far; it is right where taking its share out of those sums
 *   lowers their rank by one (residual-sums.ts), whatever the shard's other unknown tokens are. So shards don't have to be solved
 *   together and the gap plays no part: each token costs what it costs in vocabulary matching. Merged rows alone (masked merge) hold the
 *   unknown keys of all other shards at once, c (alpha - 1) of them against c · heads / kvHeads rows a value head, and say something only
 *   where alpha - 1 is at most heads / kvHeads.
 * Needs: rows and queries of the party's own tokens at a layer, and partial results (or attended rows) of that layer.
 * Cost: a pass through the layers below for each candidate, and an eigenvalue problem of at most headDim + 1 for each value head.
 * Reference: none published for this leak; vocabulary matching is arXiv 2505.18332, rank reduction Wedderburn's (1934).
 * Controls: noise fits nothing; prior: the model's own greedy continuation of what is known; alpha 1 is plain vocabulary matching.
 * Test: tests/experiments/attacks/rank-match.test.ts
 */
import { z } from "zod";
import { remembered } from "../../../protocols/remembered.ts";
import type { Attack, Preparation, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { interleave, logProbabilities, openingLogits, orderByLogits } from "../matching/proposals.ts";
import { scaledL1 } from "../matching/row-measure.ts";
import { parseOptions } from "../../lab/parse-options.ts";
import { misfitThreshold, type MisfitThreshold } from "./misfit-threshold.ts";
import type { PositionEvidence } from "./position-evidence.ts";
import { Unrolling } from "./unrolling.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { matchPosition } from "../matching/match-position.ts";
import { calibrateThresholds, type MatchThresholds } from "../matching/match-threshold.ts";
import { OwnProbes } from "../probes/own-probes.ts";
import { priorContinuation } from "../matching/prior-continuation.ts";

const schema = z.strictObject({
  trainingTokens: z
    .int()
    .min(64)
    .default(16_384)
    .describe("tokens of public text that the own-token probe learns from"),
  ownCandidates: z.int().min(1).default(1024).describe("tokens that the probe names for an own row"),
  firstBatch: z.int().min(1).default(32).describe("candidates of the first batch of a position; later ones double"),
  largestBatch: z.int().min(1).default(1024).describe("most candidates of a batch"),
  extraGuesses: z.int().min(0).default(4).describe("guesses after the first"),
});
export type RankMatchOptions = z.infer<typeof schema>;

/** How much better than every other token the first that fits must be, for the search to stop early. */
const CLEARLY = 3;
/** Equations of a candidate aren't independent (errors of known keys are in all of them): at most so many count against the model's word. */
const MOST_FREEDOM = 32;

/** What is at hand before a view is seen. */
interface RankPreparation {
  readonly preparation: Preparation;
  readonly options: RankMatchOptions;
  readonly opening: ArrayLike<number>;
  readonly probes: OwnProbes;
  readonly thresholds: MatchThresholds;
  readonly misfit: MisfitThreshold | null;
}

export const rankMatch: Attack<RankMatchOptions> = {
  name: "rank-match",
  strength: "solved sums",
  reads: ["sum"],
  parseOptions(value) {
    return parseOptions("rank-match", schema, value);
  },
  async prepare(preparation, options) {
    const { engine, layer, calibration, training, encode, seed } = preparation;
    const opening = await openingLogits(engine);
    const documents = training.documents.map((text) => encode(text));
    const probes = await OwnProbes.train({ engine, layer, documents, tokens: options.trainingTokens, seed });
    const thresholds = await calibrateThresholds(engine, layer, calibration, scaledL1(null), opening);
    const calibrated = new Map<string, Promise<MisfitThreshold | null>>();
    return {
      async recover(view, knowledge, budget) {
        const misfit = await remembered(calibrated, view.parties.join(), () =>
          misfitThreshold(preparation, opening, view.parties, knowledge),
        );
        const prepared = { preparation, options, opening, probes, thresholds, misfit };
        return recover(prepared, view, knowledge, budget.forwardPasses);
      },
      prior: (view, knowledge) =>
        priorContinuation(knowledge.engine, opening, view.ids(), knowledge.description.promptLength),
      close: async () => {},
    };
  },
};

async function recover(
  prepared: RankPreparation,
  view: RecordedView,
  knowledge: PublicKnowledge,
  budget: number,
): Promise<Recovery> {
  const { preparation, options, opening, probes, thresholds } = prepared;
  const { layer } = preparation;
  const rows = view.rows("row", layer);
  const ids = view.ids();
  const guesses = new Map<number, readonly number[]>();
  const certified = new Set<number>();
  const unrolling = new Unrolling(preparation.engine, layer, view, knowledge);
  const { forward } = unrolling;
  let [fitted, judged] = [0, 0];
  for (let position = 0; position < knowledge.description.promptLength; position++) {
    const given = ids.get(position);
    const observed = rows.get(position);
    const logits = position === 0 ? opening : forward.nextLogits();
    if (given !== undefined) guesses.set(position, [given]);
    else if (observed !== undefined) {
      const { epsilon } = position === 0 ? thresholds.first : thresholds.rest;
      const read = probes.rank(position, observed, options.ownCandidates).ids;
      const found = await matchPosition({
        forward,
        layer,
        measure: scaledL1(null),
        proposals: Uint32Array.from(interleave(read, orderByLogits(logits))),
        rows: new Map([[position, observed]]),
        epsilon,
        budget,
        ...options,
      });
      guesses.set(position, found.ids);
      if (found.distance <= epsilon) certified.add(position);
    } else {
      const evidence = unrolling.evidence();
      if (evidence !== null && evidence.freedom > 0) judged++;
      const found = await searchPosition(prepared, unrolling, evidence, logits, budget);
      guesses.set(position, found.ids);
      if (found.fits) {
        certified.add(position);
        fitted++;
      }
    }
    await unrolling.extend(guesses.get(position)![0]);
  }
  const figures = { judged, fitted, ...prepared.misfit };
  return { guesses, certified, forwardPasses: forward.passes, figures };
}

/** The tokens that explain the sums best, the model's own word for a tie; in its order alone where no sum sees the position. */
async function searchPosition(
  { options, misfit: threshold }: RankPreparation,
  unrolling: Unrolling,
  evidence: PositionEvidence | null,
  logits: ArrayLike<number>,
  budget: number,
): Promise<{ ids: number[]; fits: boolean }> {
  const order = orderByLogits(logits);
  const { firstBatch, largestBatch, extraGuesses } = options;
  const unseen = { ids: [...order.subarray(0, 1 + extraGuesses)], fits: false };
  if (evidence === null || evidence.freedom === 0 || threshold === null) return unseen;
  const prior = logProbabilities(logits);
  const freedom = Math.min(evidence.freedom, MOST_FREEDOM);
  const tried: { id: number; misfit: number; cost: number }[] = [];
  for (let from = 0, size = firstBatch; from < order.length; size = Math.min(2 * size, largestBatch)) {
    const room = budget - unrolling.forward.passes;
    if (room <= 0) break;
    const tokens = [...order.subarray(from, from + Math.min(size, room))];
    from += tokens.length;
    evidence.misfits(await unrolling.keysOf(tokens)).forEach((misfit, at) => {
      const id = tokens[at];
      tried.push({ id, misfit, cost: (freedom * (misfit / threshold.usual) ** 2) / 2 - prior[id] });
    });
    tried.sort((a, b) => a.cost - b.cost);
    const [best, next] = tried;
    const ahead = next === undefined || next.misfit > Math.max(CLEARLY * best.misfit, threshold.epsilon);
    if (best.misfit <= threshold.epsilon && ahead) return { ids: idsOf(tried, extraGuesses), fits: true };
  }
  return tried.length === 0 ? unseen : { ids: idsOf(tried, extraGuesses), fits: false };
}

const idsOf = (tried: readonly { readonly id: number }[], extra: number): number[] =>
  tried.slice(0, 1 + extra).map(({ id }) => id);
