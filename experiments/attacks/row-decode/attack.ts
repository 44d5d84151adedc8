/**
 * Row decode: the tokens before one hidden row, written from that row alone by a trained decoder.
 *
 * Functionality: an adapter, trained on rows of public text, maps a row into the model's own embedding space, one vector for each position
 *   of the gap before it; the frozen model writes the gap left to right (beam search), and a token weighs what the model makes of it and,
 *   by a calibrated weight, what its position's vector says of it. Own tokens are named by a probe. It proves nothing and runs no guess
 *   against the row: joint-decode does, and reads what this one only hints at.
 * Needs: own rows of a layer that an adapter was trained for (default model: 1, 2, 4), a gap of at most its places, training text for the
 *   probe. Ids are used where the party got them.
 * Cost: minutes of training once; then a product a row, and `width` passes a position.
 * Reference: Rep2Text (arXiv 2511.06571), which gives a large decoder a few soft tokens made of a last-token row. The model here is too
 *   small to be prompted so: its vectors are read out by the embedding matrix and meet the model's own logits.
 * Controls: noise in place of rows; prior: the same search without rows; weight 0: own tokens alone.
 * Test: tests/experiments/attacks/row-decode.test.ts
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Attack, Recovery } from "../../lab/attack.ts";
import { openingLogits } from "../matching/proposals.ts";
import { OwnTokens } from "../probes/own-tokens.ts";
import { parseOptions } from "../../lab/parse-options.ts";
import { PrecedingNetwork } from "./preceding-network.ts";
import { precedingScores } from "./preceding-scores.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { beamFill } from "../beam-infill/attack.ts";

/** The networks for the default model. */
export const PRECEDING_NETWORKS = fileURLToPath(new URL(".", import.meta.url));

const schema = z.strictObject({
  networks: z.string().min(1).default(PRECEDING_NETWORKS).describe("folder of trained networks, MODEL-LAYER.onnx each"),
  width: z.int().min(1).default(8).describe("fillings that are kept"),
  weights: z
    .array(z.number().min(0))
    .min(1)
    .default([0, 0.7, 1, 1.4, 2])
    .describe("factors on what the row says, beside the model's own: the best on calibration prompts is taken"),
  guesses: z.int().min(1).default(5).describe("guesses of a position"),
});
export type RowDecodeOptions = z.infer<typeof schema>;

export const rowDecode: Attack<RowDecodeOptions> = {
  name: "row-decode",
  strength: "filled gaps",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("row-decode", schema, value);
  },
  async prepare(preparation, options) {
    const { model, engine, layer, calibration, report } = preparation;
    const network = await PrecedingNetwork.open(options.networks, model.name, layer);
    const opening = await openingLogits(engine);
    const own = new OwnTokens(preparation);
    const evidenceOf = async (view: RecordedView, at: StageEngine): Promise<GapEvidence> => {
      const known = await own.of(view);
      return { known, scores: await precedingScores(network, at, layer, view.rows("row", layer), known) };
    };
    const fill = ({ known, scores }: GapEvidence, at: StageEngine, length: number, weight: number): Promise<Recovery> =>
      beamFill({ engine: at, length, known, evidence: null, opening, told: weighed(scores, weight) }, options);
    let best = { weight: options.weights[0], right: -1 };
    if (options.weights.length > 1 && calibration.length > 0) {
      report("row-decode: the weight of the row, by calibration prompts");
      const prompts = await Promise.all(
        calibration.map(async ({ ids, view }) => ({ ids, seen: await evidenceOf(view, engine) })),
      );
      for (const weight of options.weights) {
        let right = 0;
        for (const { ids, seen } of prompts) {
          const { guesses } = await fill(seen, engine, ids.length, weight);
          right += ids.filter((id, position) => guesses.get(position)?.[0] === id).length;
        }
        if (right > best.right) best = { weight, right };
      }
    }
    const { weight } = best;
    return {
      async recover(view, { engine: at, description: { promptLength } }) {
        const recovery = await fill(await evidenceOf(view, at), at, promptLength, weight);
        return { ...recovery, figures: { weight } };
      },
      prior: (view, { engine: at, description: { promptLength } }) =>
        fill({ known: view.ids(), scores: new Map() }, at, promptLength, 0),
      close: () => network.close(),
    };
  },
};

/** What a view tells of a prompt's gaps. */
interface GapEvidence {
  readonly known: ReadonlyMap<number, number>;
  /** By unknown position, [vocabulary]. */
  readonly scores: ReadonlyMap<number, Float32Array>;
}

const weighed = (scores: ReadonlyMap<number, Float32Array>, weight: number): ReadonlyMap<number, Float32Array> =>
  new Map([...scores].map(([position, nats]) => [position, nats.map((x) => weight * x)]));
