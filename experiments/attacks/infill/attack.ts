/**
 * Infill: a trained network fills the missing tokens from the visible ones and their rows.
 *
 * Functionality: a bidirectional transformer, started from the model's own blocks, reads the known ids, the rows of their positions at
 *   several layers, and how those rows differ from what the known tokens alone would give: that difference is what the hidden tokens
 *   put into them. Own tokens that the node wasn't told (layer 0 under SMPC) are read off their rows by a probe first. The most certain
 *   guesses of a round become known to the next one (mask-predict, arXiv 1904.09324), and the differences are taken anew.
 * Needs: `row`; `ids` where the party got any. One network serves every sharding; it is made for one model.
 * Cost: rounds + 1 passes of the network and of the model over the prompt: a second or so.
 * Reference: arXiv 2507.05228, learning-based reconstruction (ROUGE-L below 0.25 where shards are chosen well, above 0.5 where not).
 * Controls: the same network without rows (prior); noise in place of rows; the unsharded view.
 * Test: tests/experiments/attacks/infill.test.ts
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Attack, Recovery } from "../../lab/attack.ts";
import { InfillNetwork } from "./infill-network.ts";
import { rowDifferences } from "./row-differences.ts";
import { OwnTokens } from "../probes/own-tokens.ts";
import type { LayerRows } from "../probes/visible-rows.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { parseOptions } from "../../lab/parse-options.ts";

/** The network for the default model. */
export const INFILL_NETWORK = fileURLToPath(new URL(".", import.meta.url));

export const infillOptions = z.strictObject({
  network: z.string().min(1).default(INFILL_NETWORK).describe("folder with infill.onnx and infill.json"),
  rounds: z.int().min(1).max(64).default(6).describe("rounds of decoding; 1: all hidden tokens at once"),
  guesses: z.int().min(1).default(5).describe("guesses of a position"),
});
export type InfillOptions = z.infer<typeof infillOptions>;

/** What filling one prompt needs. */
export interface InfillTask {
  readonly network: InfillNetwork;
  readonly engine: StageEngine;
  readonly length: number;
  readonly known: ReadonlyMap<number, number>;
  /** Observed rows by layer; empty for the prior. */
  readonly rows: LayerRows;
}

export const infill: Attack<InfillOptions> = {
  name: "infill",
  strength: "filled gaps",
  reads: ["row"],
  parseOptions(value) {
    return parseOptions("infill", infillOptions, value);
  },
  async prepare(preparation, options) {
    const network = await InfillNetwork.open(options.network, preparation.model.name);
    const own = new OwnTokens(preparation);
    return {
      recover: async (view, { engine, description: { promptLength: length } }) => {
        const rows = observedRows(view, network.rowLayers);
        return fillTokens({ network, engine, length, known: await own.of(view), rows }, options);
      },
      prior: (view, { engine, description: { promptLength: length } }) =>
        fillTokens({ network, engine, length, known: view.ids(), rows: new Map() }, options),
      close: () => network.close(),
    };
  },
};

/** The view's rows at those layers. */
export const observedRows = (view: RecordedView, layers: readonly number[]): LayerRows =>
  new Map(layers.map((layer) => [layer, view.rows("row", layer)]));

/** Fills every unknown position of a prompt. */
export async function fillTokens(task: InfillTask, { rounds, guesses: count }: InfillOptions): Promise<Recovery> {
  const { network, length } = task;
  const guesses = new Map<number, readonly number[]>([...task.known].map(([position, id]) => [position, [id]]));
  const known = new Map(task.known);
  const take = ({ position, ids }: Filling): void => {
    guesses.set(position, ids);
    known.set(position, ids[0]);
  };
  let passes = 0;
  const fill = async (): Promise<Filling[]> => {
    const differences = await rowDifferences(task.rows, known, task.engine, network.rowLayers);
    const logits = await network.logits({ length, known, rows: task.rows, differences });
    passes += length;
    const open = Array.from({ length }, (_, position) => position).filter((position) => !known.has(position));
    return open.map((position) => filling(position, logits, network.vocabulary, count));
  };
  const hidden = length - known.size;
  for (let round = 1; round <= rounds && known.size < length; round++) {
    const found = await fill();
    found.sort((a, b) => b.certainty - a.certainty || a.position - b.position);
    const left = hidden - Math.ceil((hidden * round) / rounds); // to stay open after this round
    found.slice(0, found.length - left).forEach(take);
  }
  return { guesses, certified: new Set(), forwardPasses: passes, figures: {} };
}

interface Filling {
  readonly position: number;
  /** Best first. */
  readonly ids: readonly number[];
  /** Probability of the best. */
  readonly certainty: number;
}

/** The best tokens of a position, and how probable the first is. */
function filling(position: number, logits: Float32Array, vocabulary: number, count: number): Filling {
  const row = logits.subarray(position * vocabulary, (position + 1) * vocabulary);
  const ids: number[] = [];
  for (let guess = 0; guess < count; guess++) {
    let best = -1;
    for (let id = 0; id < vocabulary; id++) if ((best < 0 || row[id] > row[best]) && !ids.includes(id)) best = id;
    ids.push(best);
  }
  const top = row[ids[0]];
  return { position, ids, certainty: 1 / row.reduce((sum, logit) => sum + Math.exp(logit - top), 0) };
}
