/**
 * Vocabulary matching.
 *
 * Functionality: token by token: every candidate is run after the tokens recovered so far, and its row is held against the observed one;
 *   the first below a calibrated distance is the token. Candidates come in the model's own order. Variants: which row belongs to which
 *   position is unknown (nearest of all rows left), or the hidden dimension is permuted (sorted features).
 * Needs: rows of one layer, of all positions from the start; it stops at the first position that it knows neither the row nor the id of.
 * Cost: a pass through the layers below for each candidate; about a hundred candidates a token, the vocabulary at worst.
 * Reference: arXiv 2505.18332 (97.6 to 100 % of prompts exact on Gemma-2-2B and Llama-3.1-8B).
 * Controls: rows replaced by noise certify nothing; prior: the model's own greedy continuation of what is known.
 * Test: tests/experiments/attacks/vocab-match.test.ts
 */
import { z } from "zod";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { seededChance } from "../../lab/statistics/bootstrap.ts";
import type { Attack, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { interleave, openingLogits, orderByLogits } from "../matching/proposals.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { scaledL1, sortedL1 } from "../matching/row-measure.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { calibrateThresholds, type MatchThresholds } from "../matching/match-threshold.ts";
import { matchPosition } from "../matching/match-position.ts";
import { OwnProbes } from "../probes/own-probes.ts";
import { priorContinuation } from "../matching/prior-continuation.ts";
import { parseOptions } from "../../lab/parse-options.ts";

export const vocabMatchOptions = z.strictObject({
  variant: z
    .enum(["aligned", "rowsPermuted", "hiddenPermuted"])
    .default("aligned")
    .describe(
      "what the attacker doesn't know: nothing; which row belongs to which position; the order of the hidden features",
    ),
  order: z
    .enum(["model", "modelAndRow"])
    .default("modelAndRow")
    .describe(
      "candidates as the model proposes them, or in turn with what a probe says of the row (aligned rows only)",
    ),
  trainingTokens: z.int().min(64).default(16_384).describe("tokens of public text that the probe learns from"),
  firstBatch: z.int().min(1).default(8).describe("candidates of the first batch of a position; later ones double"),
  largestBatch: z.int().min(1).default(256).describe("most candidates of a batch"),
  extraGuesses: z.int().min(0).default(4).describe("guesses after the first, by distance"),
});
export type VocabMatchOptions = z.infer<typeof vocabMatchOptions>;

/** Ids that a probe names. */
const PROBE_IDS = 1024;

type Row = Float32Array | Float64Array;

/** What matching one prompt needs. */
export interface VocabMatchTask {
  readonly engine: StageEngine;
  readonly layer: number;
  readonly rows: ReadonlyMap<number, Row>;
  /** Ids that the party was given. */
  readonly known: ReadonlyMap<number, number>;
  readonly thresholds: MatchThresholds;
  readonly opening: ArrayLike<number>;
  /** null: candidates come in the model's order alone. */
  readonly probes: OwnProbes | null;
  readonly budget: number;
}

export const vocabMatch: Attack<VocabMatchOptions> = {
  name: "vocab-match",
  strength: "matched rows",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("vocab-match", vocabMatchOptions, value);
  },
  async prepare({ engine, layer, calibration, training, encode, seed }, options) {
    const opening = await openingLogits(engine);
    const measure = options.variant === "hiddenPermuted" ? sortedL1 : scaledL1(null);
    const thresholds = await calibrateThresholds(engine, layer, calibration, measure, opening);
    const tokens = options.trainingTokens;
    const documents = training.documents.map((text) => encode(text));
    const probes = readsRows(options) ? await OwnProbes.train({ engine, layer, documents, tokens, seed }) : null;
    return {
      recover: (view, knowledge: PublicKnowledge, budget) => {
        const rows = hideOrder(view.rows("row", layer), options.variant, budget.seed);
        const task = {
          engine: knowledge.engine,
          layer,
          rows,
          known: view.ids(),
          thresholds,
          opening,
          probes,
          budget: budget.forwardPasses,
        };
        return matchTokens(task, options);
      },
      prior: (view: RecordedView, knowledge: PublicKnowledge) =>
        priorContinuation(knowledge.engine, opening, view.ids(), knowledge.description.promptLength),
      close: async () => {},
    };
  },
};

/** Does the row itself order candidates? Only where it is known to be this position's, with its features in place. */
export const readsRows = ({ order, variant }: VocabMatchOptions): boolean =>
  order === "modelAndRow" && variant === "aligned";

/** What an attacker of the variant has: rows in an order of chance, or features in an order of chance that all rows share. */
export function hideOrder(
  rows: ReadonlyMap<number, Row>,
  variant: VocabMatchOptions["variant"],
  seed: number,
): ReadonlyMap<number, Row> {
  if (variant === "aligned") return rows;
  const chance = seededChance(`${variant} ${seed}`);
  const positions = [...rows.keys()].sort((a, b) => a - b);
  if (variant === "rowsPermuted") {
    const order = shuffled(positions, chance);
    return new Map(positions.map((position, at) => [position, rows.get(order[at])!]));
  }
  const width = rows.values().next().value?.length ?? 0;
  const order = shuffled(
    Array.from({ length: width }, (_, at) => at),
    chance,
  );
  return new Map(
    positions.map((position) => [position, Float64Array.from(order, (from) => rows.get(position)![from])]),
  );
}

/** Recovers the tokens of one prompt. Throws nothing: what can't be told is absent or not certified. */
export async function matchTokens(task: VocabMatchTask, options: VocabMatchOptions): Promise<Recovery> {
  const forward = new PrefixForward(task.engine);
  const measure = options.variant === "hiddenPermuted" ? sortedL1 : scaledL1(null);
  const left = new Map(task.rows);
  const guesses = new Map<number, readonly number[]>();
  const certified = new Set<number>();
  let matched = 0;
  for (let position = 0; ; position++) {
    const given = task.known.get(position);
    if (given !== undefined) {
      guesses.set(position, [given]);
      await forward.extend([given]);
      continue;
    }
    const rows = options.variant === "rowsPermuted" ? left : only(task.rows, position);
    if (rows.size === 0 || forward.passes >= task.budget) break;
    const epsilon = (position === 0 ? task.thresholds.first : task.thresholds.rest).epsilon;
    const proposed = orderByLogits(position === 0 ? task.opening : forward.nextLogits());
    const read = task.probes?.rank(position, rows.get(position)!, PROBE_IDS).ids ?? [];
    const proposals = Uint32Array.from(interleave(read, proposed));
    const found = await matchPosition({
      forward,
      layer: task.layer,
      measure,
      proposals,
      rows,
      epsilon,
      budget: task.budget,
      ...options,
    });
    guesses.set(position, found.ids);
    if (found.distance <= epsilon) certified.add(position);
    left.delete(found.row);
    matched++;
    await forward.extend([found.ids[0]]);
  }
  const figures = { candidatesPerPosition: matched === 0 ? 0 : forward.passes / matched };
  return { guesses, certified, forwardPasses: forward.passes, figures };
}

function only(rows: ReadonlyMap<number, Row>, position: number): ReadonlyMap<number, Row> {
  const row = rows.get(position);
  return row === undefined ? new Map() : new Map([[position, row]]);
}

function shuffled<T>(values: readonly T[], chance: () => number): T[] {
  const out = [...values];
  for (let at = out.length - 1; at > 0; at--) {
    const other = Math.floor(chance() * (at + 1));
    [out[at], out[other]] = [out[other], out[at]];
  }
  return out;
}
