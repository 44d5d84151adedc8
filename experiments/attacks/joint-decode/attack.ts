/**
 * Joint decode: the tokens before a party's own rows, all of a gap together, from these rows alone.
 *
 * Functionality: a row of any layer after the first is a function of every token that it attends to, and weights are public. The prompt is
 *   cut into windows: hidden tokens and the next own rows behind them. Exact single swaps around fills of the language model make an
 *   additive model of the rows; a beam under it names whole windows, which are run exactly; the nearest are what the next round swaps
 *   around (decode-window.ts). Own tokens are named by a probe. A window is proven where the rows of every layer that the party
 *   saw are the observed ones but for rounding, and is then part of what is known. Ids are never used. Neither merge, masks, gap nor
 *   layers under SMPC below play a part: rows are all it reads.
 * Needs: own rows of a layer after the first, or an AttnNode's key and value rows of it; a causal model. Those of later layers prove.
 * Cost: places times vocabulary swaps for each context, each through the layers below from its place on; covariances of the rows' width.
 * Reference: none published; that rows determine their prefix is arXiv 2510.15511, vocabulary matching arXiv 2505.18332.
 * Controls: noise fits nothing; prior: the model's own greedy continuation of what is known; alpha 1 is plain vocabulary matching;
 *   rows of another prompt: tests/experiments/attacks/joint-decode.test.ts.
 * Test: tests/experiments/attacks/joint-decode.test.ts
 */
import { z } from "zod";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { remembered } from "../../../protocols/remembered.ts";
import type { Attack, AttackBudget, Preparation, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { openingLogits } from "../matching/proposals.ts";
import { JointDecoding } from "./joint-decoding.ts";
import { ownRows } from "./own-rows.ts";
import { windowThresholds, type WindowThresholds } from "./window-certificate.ts";
import { parseOptions } from "../../lab/parse-options.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import type { Ranking } from "../probes/linear-probe.ts";
import { rowReaders } from "../probes/row-kinds.ts";
import { rowsOf } from "../probes/view-rows.ts";
import { NO_ROWS, OwnProbes } from "../probes/own-probes.ts";
import { priorContinuation } from "../matching/prior-continuation.ts";

const schema = z.strictObject({
  trainingTokens: z
    .int()
    .min(64)
    .default(65_536)
    .describe("tokens of public text that the own-token probe learns from"),
  ownCandidates: z.int().min(1).default(32).describe("tokens that the probe names for an own row"),
  ownRows: z.int().min(1).default(2).describe("own rows of a cluster that a window is decoded from"),
  moreLayers: z
    .int()
    .min(0)
    .default(0)
    .describe("layers after the attacked one whose own rows are decoded from as well"),
  fills: z.int().min(16).default(1000).describe("fills of a window drawn from the language model"),
  vocabulary: z
    .int()
    .min(2)
    .default(65_536)
    .describe("candidates of a hidden place in the first attempt, the likeliest; four times as many in the next"),
  candidates: z.int().min(2).default(512).describe("candidates of a place in rounds that gain"),
  contexts: z.int().min(1).default(3).describe("guesses that single swaps are made around in a round"),
  rounds: z.int().min(1).default(12),
  attempts: z.int().min(1).default(2).describe("times that a window is begun, with other fills"),
  beam: z.int().min(1).default(500),
  priorWeight: z.number().min(0).default(0.5).describe("factor on log prior beside the rows' evidence"),
  moved: z.int().min(1).default(16).describe("guesses that exchanges of places are tried around"),
});
export type JointDecodeOptions = z.infer<typeof schema>;

export const jointDecode: Attack<JointDecodeOptions> = {
  name: "joint-decode",
  strength: "decoded rows",
  reads: ["row", "projection"],
  parseOptions(value) {
    return parseOptions("joint-decode", schema, value);
  },
  async prepare(preparation, options) {
    const { model, engine, layer, training, encode, seed, report } = preparation;
    if (layer < 1)
      throw new Error("joint-decode: expected rows of a layer from 1 on, got 0, whose rows are tokens themselves");
    const opening = await openingLogits(engine);
    const documents = training.documents.map((text) => encode(text));
    const product = await Float64Product.open(1);
    const { own: probes } = await OwnProbes.trainEach(
      { engine, layer, documents, tokens: options.trainingTokens, seed },
      {
        product,
        readers: await rowReaders(model, layer, ["row", "kv"], product),
        probes: ["class-means"],
        calibration: () => Promise.resolve(NO_ROWS),
        windowTokens: 32,
        prefixes: 1,
        report,
      },
    );
    const calibrated = new Map<string, Promise<WindowThresholds>>();
    return {
      async recover(view, knowledge, budget) {
        const thresholds = await remembered(calibrated, view.parties.join(), () =>
          thresholdsOf(preparation, options, view.parties),
        );
        return recover({ preparation, options, opening, probes, product, thresholds }, view, knowledge, budget);
      },
      prior: (view, knowledge) =>
        priorContinuation(knowledge.engine, opening, view.ids(), knowledge.description.promptLength),
      close: () => product.close(),
    };
  },
};

/** What is at hand before a view is seen. */
interface JointPreparation {
  readonly preparation: Preparation;
  readonly options: JointDecodeOptions;
  readonly opening: ArrayLike<number>;
  readonly probes: readonly OwnProbes[];
  readonly product: Float64Product;
  readonly thresholds: WindowThresholds;
}

async function thresholdsOf(
  { engine, layer, calibration }: Preparation,
  { moreLayers }: JointDecodeOptions,
  parties: readonly string[],
): Promise<WindowThresholds> {
  if (calibration.length === 0) throw new Error("joint-decode: expected calibration prompts, got none");
  const known = calibration.map(({ ids, view }) => ({
    ids,
    own: ownRows(
      view.filter(({ party }) => parties.includes(party)),
      layer,
      engine.spec,
    ),
  }));
  return windowThresholds(engine, 1 + moreLayers, known);
}

async function recover(
  { preparation, options, opening, probes, product, thresholds }: JointPreparation,
  view: RecordedView,
  { description }: PublicKnowledge,
  budget: AttackBudget,
): Promise<Recovery> {
  const { engine, layer, report } = preparation;
  const own = ownRows(view, layer, engine.spec);
  const probe = probes.find(({ reader }) => reader.kind === own.kind)!;
  const rank = async (position: number): Promise<Ranking> =>
    probe.rank(position, await rowsOf(view, layer, probe.reader, [position]), options.ownCandidates);
  const decoding = new JointDecoding({ engine, product, opening, rank, thresholds, own, options, budget, report });
  return decoding.run(description.promptLength);
}
