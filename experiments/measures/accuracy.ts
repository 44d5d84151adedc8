import { z } from "zod";
import { bootstrapInterval } from "../lab/statistics/bootstrap.ts";
import { distributionDifference } from "../accuracy/distribution-difference.ts";
import { greedyDifference } from "../accuracy/greedy-difference.ts";
import { HybridParties } from "../accuracy/hybrid-parties.ts";
import { joinedRows } from "../accuracy/joined-rows.ts";
import { PlainReadings } from "../accuracy/plain-readings.ts";
import { placementText } from "../../protocols/fusion/config/run-config.ts";
import type { Measure } from "../lab/measure.ts";

/** How far the parties' next tokens are from the plain model's. */
export const accuracy: Measure = {
  name: "accuracy",
  says: "greedy tokens that are the plain model's, and the KL divergence of each next token's distribution until texts part",
  version: 1,
  options: z.strictObject({}),
  isOfNetwork: false,
  seconds: (prompts) => 2 + 2 * prompts,
  async run({ question, config, prompts, report }) {
    const setting = { placement: placementText(config), precision: config.smpcPrecision };
    const { smpcLayers: _short, ...rest } = config;
    const parties = await HybridParties.open(rest, [setting], report);
    const { model } = parties.opened;
    const plain = new PlainReadings(model);
    const stops = new Set(model.spec.stopTokens);
    const steps = question.workload.newTokens;
    try {
      const lines = [];
      for (const [at, { publicPrefix, secret }] of prompts.entries()) {
        report(`prompt ${at + 1} of ${prompts.length}`);
        const ids = [...publicPrefix, ...secret];
        const text = { name: `prompt ${at}`, ids, prefixLength: publicPrefix.length, greedy: null, hidden: new Map() };
        const actual = await parties.greedy(setting, text, steps, stops);
        const expected = await plain.greedy(text, steps, stops);
        const difference = greedyDifference(expected, actual);
        // Until they part: later ones continue different texts.
        const compared = Math.min(difference.same + 1, actual.tokens.length, expected.tokens.length);
        const rows = [expected.logits, actual.logits].map((logits) => joinedRows(logits.slice(0, compared)));
        lines.push({
          difference,
          failed: actual.failedRows.length,
          ...distributionDifference(rows[0], rows[1], compared),
        });
      }
      return {
        source: "run",
        figures: {
          identicalTexts: lines.filter(({ difference }) => difference.identical).length,
          texts: lines.length,
          meanKl: bootstrapInterval(
            lines.map(({ meanKl }) => meanKl),
            question.seed,
          ),
          maxKl: Math.max(...lines.map(({ maxKl }) => maxKl)),
          failedRows: lines.reduce((sum, { failed }) => sum + failed, 0),
        },
      };
    } finally {
      await plain.close();
      await parties.close();
    }
  },
};
