/**
 * How far a single row speaks of positions that are not its own, at every layer: tokens at t-2, t-1, t+1, t+2, t+3.
 *
 * Functionality: for each offset, class means of the neighbour on what is left of the row after its own token's mean row, alone and
 *   together with pair counts of public text (`probe`, `probeAndPairs`), against the counts alone (`pairs`, `unigram`). For t+1 also
 *   the logit lens (`lens`): the model's own head on the row. The own token that rows are read with is the one that the
 *   own-token probe of the layer names; the counts alone are given the true one.
 * Controls: the baselines; layer 0 holds the own token alone, so that nothing may exceed the pair counts by more than chance.
 * Reference: logit lens (nostalgebraist 2020). Test: tests/experiments/attacks/neighbours.test.ts
 *
 * npx tsx experiments/attacks/studies/neighbour-curve.ts [--model PATH] [--layers 0,1,2] [--out FILE]
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import type { LayerWalk } from "../probes/layer-walk.ts";
import { LogitLens } from "../probes/logit-lens.ts";
import { NeighbourProbe, neighboursOf, OwnMeanRemoved, type NeighbourRows } from "../probes/neighbour-probe.ts";
import { ownTokenProbe } from "../probes/own-token-probes.ts";
import { likeliestTokens } from "../probes/scored-rows.ts";
import { TokenPairs } from "../probes/token-pairs.ts";
import { truthRanks } from "../probes/truth-ranks.ts";
import { CURVE_FLAGS, curveOptions } from "./curve-flags.ts";
import { afterFirst, CurveTexts, perPrompt, type CurveOptions } from "./curve-texts.ts";
import { brief } from "./own-token-curve.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { listed, studyFlags } from "./study-flags.ts";

export interface NeighbourCurve {
  readonly texts: CurveTexts;
  readonly options: CurveOptions;
  /** null: all. */
  readonly layers: readonly number[] | null;
  readonly offsets: readonly number[];
  readonly isDone: (result: Pick<StudyResult, "study" | "setting" | "seed">) => boolean;
  readonly write: (result: StudyResult, startedAt: number) => void;
  readonly report: (doing: string) => void;
}

/** Walks through the layers once; a result of the study for each layer and offset. */
export async function studyNeighbourCurve(study: NeighbourCurve): Promise<void> {
  const { texts, options, offsets, isDone, report } = study;
  const { attacked, calibration, training, product, model } = texts;
  const { seed } = options;
  const settingOf = (layer: number, offset: number): StudyResult["setting"] => ({
    model: texts.name,
    layer,
    offset,
    promptTokens: options.tokens,
    trainingTokens: training.walk.ids.length,
    prefixes: options.prefixes,
    ...(options.skip > 0 ? { skip: options.skip } : {}),
  });
  const counts = new Map(
    offsets.map((offset) => [offset, new TokenPairs(texts.documents, offset, model.spec.vocabulary)]),
  );
  const countedTokens = texts.documents.reduce((sum, ids) => sum + ids.length, 0);
  const layers = Array.from({ length: model.spec.layers + 1 }, (_, layer) => layer).filter(
    (layer) =>
      (study.layers === null || study.layers.includes(layer)) &&
      offsets.some((offset) => !isDone({ study: "neighbour-curve", setting: settingOf(layer, offset), seed })),
  );
  for (let layer = 0; layer <= (layers.at(-1) ?? -1); layer++) {
    report(`layer ${layer}`);
    if (!layers.includes(layer)) {
      await training.collect([]);
      await attacked.step();
      await calibration.step();
      continue;
    }
    const material = await training.look();
    const ownMean = new OwnMeanRemoved(material);
    const { reader } = material;
    const read = (walk: LayerWalk): Promise<Float32Array> =>
      reader.read({ rows: walk.rows, projections: null, positions: walk.positions });
    const calibrationRows = await read(calibration);
    const after = afterFirst(calibration, calibrationRows, reader.width);
    const own = await ownTokenProbe(texts.engine, product, "class-means", material, after);
    // What is left of rows after the mean of the token that the probe names.
    const left = async (rows: Float32Array): Promise<Omit<NeighbourRows, "truth">> => {
      const named = (await likeliestTokens(product, own, rows, 1)).flat();
      return { left: ownMean.of(rows, named), own: named };
    };
    const [seen, calibrated] = [await left(await read(attacked)), await left(calibrationRows)];
    for (const offset of offsets) {
      if (isDone({ study: "neighbour-curve", setting: settingOf(layer, offset), seed })) continue;
      const startedAt = performance.now();
      const pairs = counts.get(offset)!;
      const probe = await NeighbourProbe.fit(product, training.walk, material, ownMean, pairs, {
        ...calibrated,
        truth: truthOf(calibration, offset),
      });
      const truth = truthOf(attacked, offset);
      const found = await probe.ranks(product, { ...seen, truth }, attacked.ids);
      const byRow = new Map(found.map((ranks) => [ranks.row, ranks]));
      const share = (most: number, rankAt: (row: number) => number | undefined): number[] =>
        brief(
          bootstrapInterval(
            perPrompt(attacked, (row) => {
              const rank = rankAt(row);
              return rank === undefined ? null : rank < most ? 1 : 0;
            }),
            seed,
          ),
        );
      const both = (rankAt: (row: number) => number | undefined): Record<string, number[]> => ({
        top1: share(1, rankAt),
        top5: share(5, rankAt),
      });
      const figures: Record<string, unknown> = { rows: found.length, countedTokens };
      for (const way of ["probe", "probeAndPairs", "pairs", "unigram"] as const)
        figures[way] = both((row) => byRow.get(row)?.[way]);
      if (offset === 1) {
        const lens = await truthRanks(product, new LogitLens(texts.engine), attacked.rows, truth);
        figures.lens = both((row) => (truth[row] < 0 ? undefined : lens[row]));
      }
      const gain = perPrompt(attacked, (row) => {
        const ranks = byRow.get(row);
        return ranks === undefined ? null : Number(ranks.probeAndPairs === 0) - Number(ranks.pairs === 0);
      });
      figures.gainOverPairs = brief(bootstrapInterval(gain, seed));
      const n = attacked.texts.length;
      study.write({ study: "neighbour-curve", setting: settingOf(layer, offset), figures, n, seed }, startedAt);
    }
    await training.collect([]);
    await attacked.step();
    await calibration.step();
  }
}

/** Neighbours of all rows after position 0; -1 where there is none, and for the row at position 0. */
function truthOf({ ids, positions }: LayerWalk, offset: number): number[] {
  return neighboursOf(ids, positions, offset).map((id, row) => (positions[row] === 0 ? -1 : id));
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      ...CURVE_FLAGS,
      offsets: listed(z.int(), "-2,-1,1,2,3"),
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const options = curveOptions(values);
  const texts = await CurveTexts.open(options);
  try {
    await studyNeighbourCurve({
      texts,
      options,
      layers: values.layers ?? null,
      offsets: values.offsets,
      isDone: (result) => output.has(result),
      write: (result, startedAt) => output.write(result, startedAt),
      report: (doing) => void process.stderr.write(`${doing}\n`),
    });
  } finally {
    await texts.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
