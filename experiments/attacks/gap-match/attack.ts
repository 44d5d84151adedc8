/**
 * Vocabulary matching across gaps, chained from cluster to cluster.
 *
 * Functionality: the tokens between two visible positions are searched until the row of the later one fits; then they and the visible
 *   token become part of the prefix, and the next gap is searched after it. A gap that isn't solved within its part of the budget is passed with the best guess.
 * Needs: rows of one layer at some positions; own ids are used where the party was given them.
 * Cost: each candidate token is one pass through the layers below; each gap may spend half of what is left of the budget.
 * Reference: arXiv 2507.05228, generalised vocabulary matching (cost Σ V^gap, rho = 3); arXiv 2505.18332 for gap 1. The search is gap-search.ts.
 * Controls: rows replaced by noise certify nothing; prior: the model's own text between the known tokens; exhaustive search (gap-exhaustive.ts).
 * Test: tests/experiments/attacks/gap-match.test.ts
 */
import { z } from "zod";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Attack, Recovery } from "../../lab/attack.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { openingLogits } from "../matching/proposals.ts";
import { calibrateGap, type GapCalibration } from "./gap-calibration.ts";
import { searchGap } from "./gap-search.ts";
import { OwnProbes } from "../probes/own-probes.ts";
import { priorContinuation } from "../matching/prior-continuation.ts";
import { parseOptions } from "../../lab/parse-options.ts";

/** Share of what is left of the budget that a gap may spend: on a wrong prefix all later rows are off, so the first failure decides. */
const SHARE = 0.5;

const gapMatchOptions = z.strictObject({
  trainingTokens: z
    .int()
    .min(64)
    .default(16_384)
    .describe("tokens of public text that the own-token probe learns from"),
  ownCandidates: z.int().min(1).default(256).describe("tokens that the probe names for a visible row"),
});
export type GapMatchOptions = z.infer<typeof gapMatchOptions>;

/** What the attack knows of a model before it sees a view. */
export interface GapKnowledge {
  readonly engine: StageEngine;
  readonly layer: number;
  readonly calibration: GapCalibration;
  readonly probes: OwnProbes;
  readonly opening: ArrayLike<number>;
  readonly ownCandidates: number;
}

export const gapMatch: Attack<GapMatchOptions> = {
  name: "gap-match",
  strength: "matched rows",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("gap-match", gapMatchOptions, value);
  },
  async prepare({ engine, layer, calibration, training, encode, seed }, { trainingTokens: tokens, ownCandidates }) {
    const opening = await openingLogits(engine);
    const documents = training.documents.map((text) => encode(text));
    const probes = await OwnProbes.train({ engine, layer, documents, tokens, seed });
    const knowledge = {
      engine,
      layer,
      calibration: await calibrateGap(engine, layer, calibration),
      probes,
      opening,
      ownCandidates,
    };
    return {
      recover: (view, _, budget) => matchChain(knowledge, view.rows("row", layer), view.ids(), budget.forwardPasses),
      prior: (view, knowledge) =>
        priorContinuation(knowledge.engine, opening, view.ids(), knowledge.description.promptLength),
      close: async () => {},
    };
  },
};

/** Recovers what lies between and at the visible rows, first to last. */
export async function matchChain(
  { engine, layer, calibration, probes, opening, ownCandidates }: GapKnowledge,
  rows: ReadonlyMap<number, Float32Array | Float64Array>,
  known: ReadonlyMap<number, number>,
  budget: number,
): Promise<Recovery> {
  const forward = new PrefixForward(engine);
  const guesses = new Map<number, readonly number[]>();
  const certified = new Set<number>();
  const visible = [...rows.keys()].sort((a, b) => a - b);
  const isOpen = (at: number): boolean => visible[at] > (visible[at - 1] ?? -1) + 1 || !known.has(visible[at]);
  let left = visible.filter((_, at) => isOpen(at)).length;
  let solved = 0;
  const gaps = left;
  for (const [at, position] of visible.entries()) {
    const given = known.get(position);
    if (!isOpen(at)) {
      guesses.set(position, [given!]);
      await forward.extend([given!]);
      continue;
    }
    const observed = rows.get(position)!;
    const start = forward.length;
    const passes = Math.max(1, Math.floor((budget - forward.passes) * (--left === 0 ? 1 : SHARE)));
    const own = given === undefined ? probes.rank(position, observed, ownCandidates).ids : [given];
    const missing = position - start;
    const { measure, epsilon } = calibration;
    const row = { forward, layer, missing, observed, measure, opening };
    const answer = await searchGap({ ...row, own, ownKnown: given !== undefined, epsilon, passes });
    answer.best.tokens.forEach((_, place) => {
      guesses.set(start + place, [...new Set(answer.ranked.map(({ tokens }) => tokens[place]))]);
      if (answer.certified) certified.add(start + place);
    });
    if (answer.certified) solved++;
    await forward.extend(answer.best.tokens);
  }
  return {
    guesses,
    certified,
    forwardPasses: forward.passes,
    figures: { gapsCertified: gaps === 0 ? 1 : solved / gaps },
  };
}
