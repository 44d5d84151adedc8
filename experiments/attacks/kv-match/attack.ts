/**
 * Tokens from query, key and value rows.
 *
 * Functionality: rotations are undone by position. Where q, k and v of a position are seen together and their projections have full
 *   column rank, the normed hidden row is solved for, exactly, and inverted like a hidden row; elsewhere k and v together, or q alone,
 *   are inverted in their own space.
 * Needs: q, k, v rows of the layer: what an AttnNode (j, k) receives (q of shard j, k and v of shard k), or a CompNode computes.
 * Cost: as row-invert, for each kind of row that the calibration views have (all kinds without calibration).
 * Reference: Shadow in the Cache (arXiv 2508.09442). Controls: as row-invert. Test: tests/experiments/attacks/kv-match.test.ts
 */
import type { Attack } from "../../lab/attack.ts";
import type { RowKind } from "../probes/row-kinds.ts";
import { positionsOf } from "../probes/view-rows.ts";
import { probeOptions, RowReadings, type ProbeOptions } from "../probes/row-readings.ts";
import { parseOptions } from "../../lab/parse-options.ts";

/** In the order in which they are believed. */
const KINDS: readonly RowKind[] = ["normed", "kv", "q"];

export const kvMatch: Attack<ProbeOptions> = {
  name: "kv-match",
  strength: "single rows",
  reads: ["projection"],
  parseOptions(value) {
    return parseOptions("kv-match", probeOptions, value);
  },
  async prepare(preparation, options) {
    const { calibration, layer } = preparation;
    const seen = KINDS.filter(
      (kind) => calibration.length === 0 || calibration.some(({ view }) => positionsOf(view, layer, kind).length > 0),
    );
    const readings = await RowReadings.train(preparation, seen, options);
    const nothing = { certified: new Set<number>(), forwardPasses: 0, figures: readings.figures() };
    return {
      recover: async (view) => ({ ...nothing, guesses: await readings.recover(view) }),
      prior: (view) => Promise.resolve({ ...nothing, guesses: readings.prior(view) }),
      close: () => readings.close(),
    };
  },
};
