/**
 * Inversion of single rows.
 *
 * Functionality: the own token of every hidden row of a layer, from that row alone: nearest neighbour over the vocabulary, ridge
 *   regression, class means with pooled covariance, a trained network where there is one for the layer; the best of them on calibration
 *   prompts. A row at position 0 is looked up.
 * Needs: hidden rows of the layer, at any positions; the rows of others don't matter.
 * Cost: training text and vocabulary once through the layers below; then a product with the vocabulary a row.
 * Reference: PIA (arXiv 2503.09022), Luo et al. (arXiv 2503.09291); linear discriminant analysis (Fisher 1936).
 * Controls: noise rows name the true token no more often than its frequency; prior: the most frequent tokens of the training text.
 * Test: tests/experiments/attacks/row-invert.test.ts
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Attack } from "../../lab/attack.ts";
import { RowNetwork } from "../probes/row-network.ts";
import { probeOptions, RowReadings } from "../probes/row-readings.ts";
import { parseOptions } from "../../lab/parse-options.ts";

/** The networks for the default model. */
export const ROW_NETWORKS = fileURLToPath(new URL("../row-networks", import.meta.url));

const rowInvertOptions = probeOptions.extend({
  networks: z.string().min(1).default(ROW_NETWORKS).describe("folder of trained networks, MODEL-LAYER.onnx each"),
});
export type RowInvertOptions = z.infer<typeof rowInvertOptions>;

export const rowInvert: Attack<RowInvertOptions> = {
  name: "row-invert",
  strength: "single rows",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("row-invert", rowInvertOptions, value);
  },
  async prepare(preparation, options) {
    const network = await RowNetwork.open(options.networks, preparation.model.name, preparation.layer);
    const readings = await RowReadings.train(preparation, ["row"], options, network);
    const nothing = { certified: new Set<number>(), forwardPasses: 0, figures: readings.figures() };
    return {
      recover: async (view) => ({ ...nothing, guesses: await readings.recover(view) }),
      prior: (view) => Promise.resolve({ ...nothing, guesses: readings.prior(view) }),
      async close() {
        await network?.close();
        await readings.close();
      },
    };
  },
};
