/**
 * Masks of a masked merge that are used twice: a two-time pad on the AttnNodes' words.
 *
 * Functionality: (1) words of one AttnNode under masks of one place, of other steps and of sessions whose tokens are known (the attacker's
 *   own, say), are taken from one another mod 2^32: under fresh masks the difference is uniform, under one mask it is that of two weighed
 *   rows, a small part of the ring. (2) Beside a known session it opens this shard's weighed row, and with it all that the merge hides but
 *   the weight; beside another step it leaves a row in the span of the shard's value rows. (3) Rows whose keys are known but for one give
 *   its token by the direction that is left, shard by shard as keys become visible; rows of several unknown keys give, where they are as
 *   many, the set of tokens and not their order (value-equations.ts).
 * Needs: masked words of the layer, of two steps or beside a known session of the same description; partial results are read in their
 *   place where a merge is plain. Keys are read while a shard's are fewer than a head is wide, near at layers after the first.
 * Cost: no forward pass of candidates; the vocabulary's value rows once, and heads * V * headDim for each key.
 * Reference: two-time pads, Mason et al., CCS 2006, 10.1145/1180405.1180435; masks that are used again, arXiv 2602.11088.
 * Controls: noiseView; fresh masks, of real sessions and planted; a plain merge, where the same rows come without masks; planted reuses
 *   (reused-merge-mask.ts). Test: tests/experiments/attacks/reused-merge-masks.test.ts
 */
import { z } from "zod";
import { isVisible } from "../../../layers/reference/attention.ts";
import { remembered } from "../../../protocols/remembered.ts";
import { shards } from "../../../protocols/cascade/sharding.ts";
import type { Attack, CalibrationPrompt, PublicKnowledge, Recovery } from "../../lab/attack.ts";
import { maskedRows, underOneMask, type MaskedShardRow } from "./masked-rows.ts";
import { solveEquations, ValueDictionary, type ValueEquation } from "./value-equations.ts";
import { WeighedShards } from "./weighed-shards.ts";
import { parseOptions } from "../../lab/parse-options.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";

const schema = z.strictObject({});

/** At layer 0 a token is proven where no more of the row is off, and of the next one ten times as much. */
const PROVEN = 1e-3;

export const reusedMergeMasks: Attack<z.infer<typeof schema>> = {
  name: "reused-merge-masks",
  strength: "single rows",
  reads: ["sum"],
  parseOptions(value) {
    return parseOptions("reused-merge-masks", schema, value ?? {});
  },
  prepare({ layer, calibration, engine }) {
    let dictionary: Promise<ValueDictionary> | null = null;
    const elsewhere = new Map<string, Promise<MaskedShardRow[]>>();
    return Promise.resolve({
      async recover(view, knowledge) {
        const others = await remembered(elsewhere, JSON.stringify(knowledge.description), () =>
          knownRows(calibration, knowledge, layer),
        );
        dictionary ??= ValueDictionary.of(engine, layer);
        return recover(view, knowledge, { layer, others, dictionary: await dictionary });
      },
      prior: () => Promise.resolve({ guesses: new Map(), certified: new Set<number>(), forwardPasses: 0, figures: {} }),
      close: () => Promise.resolve(),
    });
  },
};

interface Prepared {
  readonly layer: number;
  readonly others: readonly MaskedShardRow[];
  readonly dictionary: ValueDictionary;
}

async function recover(view: RecordedView, knowledge: PublicKnowledge, prepared: Prepared): Promise<Recovery> {
  const { layer, others, dictionary } = prepared;
  const { schedule } = knowledge;
  const own = await maskedRows(view, schedule, layer, null);
  const opened = new Set<MaskedShardRow>();
  let pairs = 0;
  const equations = plainEquations(view, knowledge, layer);
  const add = (row: Pick<MaskedShardRow, "k" | "position">, words: Int32Array): void => {
    equations.push(equationOf(knowledge, layer, row, Float64Array.from(words)));
  };
  own.forEach((row, at) => {
    for (const other of others) {
      const difference = underOneMask(row, other);
      if (difference === null) continue;
      pairs++;
      if (!opened.has(row))
        add(
          row,
          difference.map((word, i) => word + other.known![i]),
        );
      opened.add(row);
    }
    for (const other of own.slice(at + 1)) {
      if (other.step === row.step) continue;
      const difference = underOneMask(row, other);
      if (difference === null) continue;
      pairs++;
      add(row.position > other.position ? row : other, difference); // the later one sees what both see
    }
  });
  const guesses = solveEquations(equations, view.ids(), dictionary);
  const proven = [...guesses].filter(
    ([, { isPlaced, left, leftOfNext }]) => layer === 0 && isPlaced && left <= PROVEN && leftOfNext >= 10 * left,
  );
  return {
    guesses: new Map([...guesses].map(([position, { ids }]) => [position, ids])),
    certified: new Set(proven.map(([position]) => position)),
    forwardPasses: 0,
    figures: { maskedRows: own.length, reusedMasks: pairs, openedRows: opened.size, equations: equations.length },
  };
}

/** Masked rows of sessions whose tokens the attacker knows. */
async function knownRows(
  calibration: readonly CalibrationPrompt[],
  knowledge: PublicKnowledge,
  layer: number,
): Promise<MaskedShardRow[]> {
  if (knowledge.description.mergeScales === null) return [];
  const rows: MaskedShardRow[] = [];
  for (const { ids, view } of calibration)
    rows.push(...(await maskedRows(view, knowledge.schedule, layer, await WeighedShards.of(knowledge, ids, layer))));
  return rows;
}

/** Where results come without masks, they are the rows themselves. */
function plainEquations(view: RecordedView, knowledge: PublicKnowledge, layer: number): ValueEquation[] {
  const { heads, headDim } = knowledge.engine.attention(layer);
  return view.partials(layer, heads, headDim).flatMap(({ k, positions, u }) =>
    positions.map((position, row) => {
      const numbers = Float64Array.from(u.subarray(row * heads * headDim, (row + 1) * heads * headDim));
      return equationOf(knowledge, layer, { k, position }, numbers);
    }),
  );
}

function equationOf(
  { schedule, engine }: PublicKnowledge,
  layer: number,
  { k, position }: Pick<MaskedShardRow, "k" | "position">,
  numbers: Float64Array,
): ValueEquation {
  const attention = engine.attention(layer);
  const keys = shards(schedule.s, 0, schedule.length)[k].filter((key) => isVisible(attention, position, key));
  return { k, keys, numbers };
}
