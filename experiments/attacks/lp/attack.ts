/**
 * Linear programming on the attention of layer 0.
 *
 * Functionality: one-hot tokens of hidden positions as unknowns, every own query row's sum over hidden keys as linear equations, token
 *   costs -log p as objective, HiGHS as solver; cluster by cluster, each solved cluster known to the next. A solution that misfits any
 *   equation by more than rounding is not taken over: the shard's later clusters then get the prior's guess.
 * What is linear, by what is known of k and v. Of a sum over keys a CompNode knows q, and with it u, m and e of each shard, or o alone.
 *   (a) Layer 0 in the clear, sums by shard: w = exp(scale q·k(v, s)) and V(v) are public numbers for every token v and position s, so that
 *       u = sum z w V and e = sum z w are linear in one-hot z, exactly; m cuts candidates (no logit is above it).
 *   (b) Layer 0 in the clear, o alone: sum z w (V - o) = 0 for any normaliser, linear and homogeneous; own keys are its constants.
 *   (c) Layer 0 under SMPC, or a later layer: k and v depend on all tokens before them. Exactly linear is only what has no product of
 *       unknowns: v where one key is visible (u / e = v, scale q·k = m), u in v where all logits are known. Not linear: exp of an unknown
 *       logit times an unknown value, the norm below them (a quotient), the gated MLP. So no program in z says what the view says.
 *       Linear but for a deviation: k and v lie near their mean over texts with the same token, so that (a) and (b) hold with means for
 *       w and V and a slack that costs. That is measured by studies/lp.ts --layer 1 (lp/class-mean-dictionary.ts). A lift with the
 *       products z w as columns of their own, each within a factor of its estimate, is linear too, with a column for every row, head,
 *       position and token (50,000 for two tokens of 2,048): not tried.
 * Needs: own ids, `partial` of layer 0 or `attended` of layer 0. Cost: one program a cluster: keys x vocabulary columns, at most
 *   `equations` rows; seconds each, `timeLimitS` at most; as many forward passes for the prior as tokens are hidden.
 * Reference: arXiv 2507.05228, appendix E, assumption B2 (open question 2). HiGHS: Huangfu and Hall 2018.
 * Controls: prior() has the objective without rows; noise misfits by orders and is certified nowhere.
 * Test: tests/experiments/attacks/lp.test.ts
 */
import { z } from "zod";
import type { Attack, PreparedAttack, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { LayerZeroDictionary } from "../matching/layer-zero-dictionary.ts";
import { observationsOf } from "./observations.ts";
import { ownRows } from "./own-rows.ts";
import { solveTokens } from "./solve-tokens.ts";
import { belowMaximum, type SumObservation } from "./sum-observation.ts";
import { TokenPrior } from "./token-prior.ts";
import { misfit, PROVEN } from "./token-program.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

const lpOptions = z.strictObject({
  sums: z.enum(["shards", "merged"]).default("shards").describe("partial results by shard, or the merged output alone"),
  fit: z.enum(["l1", "box"]).default("box").describe("slack that costs, or equations within rounding"),
  integer: z.boolean().default(false).describe("integer one-hot tokens, or their relaxation, rounded"),
  equationsPerToken: z
    .int()
    .min(4)
    .default(32)
    .describe("equations a program uses for each hidden token; all check its result"),
  mostHidden: z
    .int()
    .min(1)
    .default(8)
    .describe("hidden tokens of a program at most; larger clusters are left to the prior"),
  timeLimitS: z.number().gt(0).default(60).describe("limit of one solve"),
});
export type LpOptions = z.infer<typeof lpOptions>;

export const lp: Attack<LpOptions> = {
  name: "lp",
  strength: "solved sums",
  reads: ["first sum"],
  parseOptions: (value) => lpOptions.parse(value),
  prepare: async ({ engine, encode, training, seed }, options) => {
    const prior = new TokenPrior(engine, training.documents.map(encode));
    return prepared(prior, options, seed);
  },
};

function prepared(prior: TokenPrior, options: LpOptions, seed: number): PreparedAttack {
  return {
    recover: (view, knowledge) => solveClusters(view, knowledge, prior, options, seed),
    prior: async (view, knowledge) => {
      const ids = view.ids();
      const guesses = new Map([...ids].map(([t, id]) => [t, [id]]));
      const passes = await guessHidden(guesses, ids, knowledge, prior);
      return { guesses, certified: new Set(), forwardPasses: passes, figures: {} };
    },
    close: async () => {},
  };
}

async function solveClusters(
  view: RecordedView,
  knowledge: PublicKnowledge,
  prior: TokenPrior,
  options: LpOptions,
  seed: number,
): Promise<Recovery> {
  const { engine } = knowledge;
  const wire = knowledge.description.wire === "float16" ? "float16" : "float32";
  const dictionary = new LayerZeroDictionary(engine, wire);
  const vocabulary = Array.from({ length: engine.spec.vocabulary }, (_, v) => v);
  const found = new Map(view.ids());
  const certified = new Set<number>();
  const figures = { programs: 0, solved: 0, seconds: 0, columns: 0, rows: 0 };
  const own = await ownRows(view, knowledge, 0);
  const pages = new Map(own.pages);
  for (const cluster of clusters(observationsOf(view, knowledge, own, options.sums, 0))) {
    const unknown = [...new Set(cluster.flatMap(({ keys }) => keys))].filter((s) => !found.has(s));
    if (unknown.length === 0 || unknown.length > options.mostHidden) continue;
    const hidden = await Promise.all(
      unknown.map(async (s) => {
        const whole = await dictionary.page(s, vocabulary);
        const kept = belowMaximum(engine, cluster, whole, wire);
        const page = kept.length === vocabulary.length ? whole : await dictionary.page(s, kept);
        const costs = prior.unigramCosts();
        return { page, cost: kept.map((v) => costs[v]) };
      }),
    );
    const { program, solved, tokens } = await solveTokens(
      engine,
      cluster,
      hidden,
      pages,
      {
        integer: options.integer,
        fit: options.fit,
        equations: options.equationsPerToken * unknown.length,
        seed,
        accuracy: wire,
        evidence: 1,
      },
      options.timeLimitS,
    );
    figures.programs++;
    figures.seconds += solved.seconds;
    figures.columns = Math.max(figures.columns, program.columns);
    figures.rows = Math.max(figures.rows, program.rows);
    if (tokens.size < unknown.length) continue;
    const trial = new Map(pages);
    for (const [s, v] of tokens) trial.set(s, await dictionary.page(s, [v]));
    if (misfit(engine, cluster, trial, wire) > PROVEN) continue;
    figures.solved++;
    for (const [s, v] of tokens) {
      found.set(s, v);
      certified.add(s);
      pages.set(s, trial.get(s)!);
    }
  }
  const guesses = new Map([...found].map(([t, id]) => [t, [id]]));
  const forwardPasses = await guessHidden(guesses, found, knowledge, prior);
  return { guesses, certified, forwardPasses, figures };
}

/** Observations that ask about the same keys beside the known ones: rows of one own cluster over one shard, in order of position. */
function clusters(observations: readonly SumObservation[]): SumObservation[][] {
  const groups = new Map<string, SumObservation[]>();
  for (const seen of observations) {
    const hiddenKeys = seen.keys.filter((s) => !observations.some(({ position }) => position === s));
    const key = hiddenKeys.join(",");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [seen]);
    else group.push(seen);
  }
  return [...groups.values()];
}

/** Fills positions without a guess from the prior, left to right. Returns forward passes. */
async function guessHidden(
  guesses: Map<number, number[]>,
  found: ReadonlyMap<number, number>,
  { description }: PublicKnowledge,
  prior: TokenPrior,
): Promise<number> {
  let passes = 0;
  const prefix: number[] = [];
  for (let t = 0; t < description.promptLength; t++) {
    const token = found.get(t);
    if (token === undefined) {
      const [cost] = await prior.continuation(prefix, 1);
      passes += prefix.length;
      const order = Array.from(cost.keys()).sort((a, b) => cost[a] - cost[b]);
      guesses.set(t, order.slice(0, 5));
      prefix.push(order[0]);
    } else prefix.push(token);
  }
  return passes;
}
