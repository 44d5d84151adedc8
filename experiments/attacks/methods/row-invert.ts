/**
 * Inversion of single rows.
 *
 * Functionality: the own token of every hidden row of a layer, from that row alone: nearest neighbour over the vocabulary, ridge
 *   regression, class means with pooled covariance; the best of them on calibration prompts. A row at position 0 is looked up.
 * Needs: hidden rows of the layer, at any positions; the rows of others don't matter.
 * Cost: training text and vocabulary once through the layers below; then a product with the vocabulary a row.
 * Reference: PIA (arXiv 2503.09022), Luo et al. (arXiv 2503.09291); linear discriminant analysis (Fisher 1936).
 * Controls: noise rows name the true token no more often than its frequency; prior: the most frequent tokens of the training text.
 * Test: tests/experiments/attacks/row-invert.test.ts
 */
import type { Attack } from "../attack.ts";
import { probeOptions, RowReadings, type ProbeOptions } from "./row-readings.ts";
import { parseOptions } from "../parse-options.ts";

export const rowInvert: Attack<ProbeOptions> = {
  name: "row-invert",
  parseOptions(value) {
    return parseOptions("row-invert", probeOptions, value);
  },
  async prepare(preparation, options) {
    const readings = await RowReadings.train(preparation, ["row"], options);
    const nothing = { certified: new Set<number>(), forwardPasses: 0, figures: readings.figures() };
    return {
      recover: async (view) => ({ ...nothing, guesses: await readings.recover(view) }),
      prior: (view) => Promise.resolve({ ...nothing, guesses: readings.prior(view) }),
      close: () => readings.close(),
    };
  },
};
