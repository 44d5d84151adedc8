/**
 * How well a single row tells its own token, at every layer: what keeping the first layers secret would have to hide.
 *
 * Functionality: probes learn from public text of another domain than the prompts'; each ranks the vocabulary for every row of the
 *   prompts after position 0 (a row there is a function of its token alone). Kinds: hidden row, q, k, v, k and v together, and the
 *   normed row solved from q, k and v. The best probe is the one that ranks best on calibration prompts, never on those attacked.
 * Controls: layer 0 is the embedding (near 100 %); Gaussian noise rows with the prompts' means and spreads must fall to `noise`
 *   about the most frequent token's share. Tokens without a training row are scored apart (`unseen`).
 * Reference: PIA (arXiv 2503.09022), Luo et al. (arXiv 2503.09291). Test: tests/experiments/attacks/row-invert.test.ts
 *
 * npx tsx experiments/attacks/studies/own-token-curve.ts [--model PATH] [--layers 0,1,2] [--kinds row,q] [--networks FOLDER] [--out FILE]
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { bootstrapInterval, seededChance, type Interval } from "../../lab/statistics/bootstrap.ts";
import { normal } from "../../lab/statistics/normal.ts";
import type { LayerWalk } from "../probes/layer-walk.ts";
import { OWN_TOKEN_PROBES, bestProbe, ownTokenProbe, type OwnTokenProbe } from "../probes/own-token-probes.ts";
import { ROW_KINDS, rowReaders, type RowKind, type RowReader } from "../probes/row-kinds.ts";
import { RowNetwork } from "../probes/row-network.ts";
import type { RowProbe } from "../probes/row-probe.ts";
import { truthRanks } from "../probes/truth-ranks.ts";
import { CURVE_FLAGS, curveOptions } from "./curve-flags.ts";
import { afterFirst, CurveTexts, perPrompt, type CurveOptions } from "./curve-texts.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { listed, studyFlags } from "./study-flags.ts";

export interface OwnTokenCurve {
  readonly texts: CurveTexts;
  readonly options: CurveOptions;
  /** null: all. */
  readonly layers: readonly number[] | null;
  readonly kinds: readonly RowKind[];
  readonly probes: readonly OwnTokenProbe[];
  /** Folder of trained networks (recipe/row_mlp.py), one for the hidden rows of each of some layers; null: none. */
  readonly networks: string | null;
  readonly isDone: (result: Pick<StudyResult, "study" | "setting" | "seed">) => boolean;
  readonly write: (result: StudyResult, startedAt: number) => void;
  readonly report: (doing: string) => void;
}

/** Noise rows that the best probe is shown. */
const NOISE_ROWS = 256;

/** Walks through the layers once; a result of the study for each layer and kind. */
export async function studyOwnTokenCurve(study: OwnTokenCurve): Promise<void> {
  const { texts, options, kinds, isDone, report } = study;
  const { attacked, calibration, training } = texts;
  const settingOf = (layer: number, kind: RowKind): StudyResult["setting"] => ({
    model: texts.name,
    layer,
    kind,
    promptTokens: options.tokens,
    trainingTokens: training.walk.ids.length,
    prefixes: options.prefixes,
    probes: [...study.probes, ...(study.networks === null ? [] : ["mlp"])].join(","),
    ...(options.skip > 0 ? { skip: options.skip } : {}),
  });
  const wanted = Array.from({ length: texts.model.spec.layers + 1 }, (_, layer) =>
    kinds.filter(
      (kind) =>
        (study.layers === null || study.layers.includes(layer)) &&
        !isDone({ study: "own-token-curve", setting: settingOf(layer, kind), seed: options.seed }),
    ),
  );
  const last = wanted.findLastIndex((kindsOfLayer) => kindsOfLayer.length > 0);
  for (let layer = 0; layer <= last; layer++) {
    report(`layer ${layer}`);
    const readers = await rowReaders(texts.model, layer, wanted[layer], texts.product);
    const materials = await training.collect(readers);
    const [seen, known] = [await readRows(attacked, readers), await readRows(calibration, readers)];
    for (const [at, material] of materials.entries()) {
      const startedAt = performance.now();
      const after = afterFirst(calibration, known[at], material.reader.width);
      const { counts } = material.statistics;
      const probes: Record<string, unknown> = {};
      let best = { name: "", score: -1 };
      const network = material.reader.kind === "row" ? await networkOf(study, layer) : null;
      const choices: (() => Promise<RowProbe>)[] = study.probes.map(
        (name) => () => ownTokenProbe(texts.engine, texts.product, name, material, after),
      );
      if (network !== null) choices.push(() => Promise.resolve(network));
      for (const choose of choices) {
        const made = await choose();
        const { name } = made;
        const { score } = await bestProbe(texts.product, [() => made], after);
        const ranks = await truthRanks(texts.product, made, seen[at], attacked.ids);
        const figures = figuresOf(attacked, ranks, counts, options.seed);
        if (score > best.score) {
          const noise = noiseLike(seen[at], material.reader.width, NOISE_ROWS, `noise ${layer}`);
          const noiseIds = attacked.ids.slice(0, noise.length / material.reader.width);
          const hits = (await truthRanks(texts.product, made, noise, noiseIds)).filter((rank) => rank === 0).length;
          best = { name, score };
          Object.assign(probes, { best: { name, ...figures, noiseTop1: hits / noiseIds.length } });
        }
        probes[name] = { ...figures, calibrationMeanReciprocalRank: round(score) };
      }
      await network?.close();
      const n = attacked.texts.length;
      const setting = settingOf(layer, material.reader.kind);
      const figures = {
        ...probes,
        rows: attacked.positions.filter((position) => position > 0).length,
        unseenRows: attacked.ids.filter((id, row) => attacked.positions[row] > 0 && counts[id] === 0).length,
        mostFrequentTokenShare: round(shareOfMostFrequent(attacked.ids)),
      };
      study.write({ study: "own-token-curve", setting, figures, n, seed: options.seed }, startedAt);
    }
  }
}

/** The trained network of a layer's hidden rows; null, with the reason reported, where there is none. */
async function networkOf({ networks, texts, report }: OwnTokenCurve, layer: number): Promise<RowNetwork | null> {
  if (networks === null) return null;
  const network = await RowNetwork.open(networks, texts.model.name, layer);
  report(network === null ? `layer ${layer}: no network in ${networks}` : `layer ${layer}: ${network.trained}`);
  return network;
}

/** Steps a walk on, with its rows of each kind: [rows, width] each. */
async function readRows(walk: LayerWalk, readers: readonly RowReader[]): Promise<Float32Array[]> {
  const all = readers.map(({ width }) => new Float32Array(walk.ids.length * width));
  await walk.step(async (batch) => {
    for (const [at, reader] of readers.entries()) all[at].set(await reader.read(batch), batch.from * reader.width);
  });
  return all;
}

/** [mean, low, high] over prompts of top 1 and top 5, of all rows after position 0 and of tokens without training rows. */
function figuresOf(
  walk: LayerWalk,
  ranks: readonly number[],
  counts: Int32Array,
  seed: number,
): Record<string, readonly number[]> {
  const share = (most: number, counted: (id: number) => boolean): number[] =>
    brief(
      bootstrapInterval(
        perPrompt(walk, (row) =>
          walk.positions[row] === 0 || !counted(walk.ids[row]) ? null : ranks[row] < most ? 1 : 0,
        ),
        seed,
      ),
    );
  return {
    top1: share(1, () => true),
    top5: share(5, () => true),
    unseenTop1: share(1, (id) => counts[id] === 0),
    unseenTop5: share(5, (id) => counts[id] === 0),
  };
}

/** Gaussian rows with the mean and spread that each feature has over the rows, [count, width] at most. */
function noiseLike(rows: Float32Array, width: number, count: number, seed: string): Float32Array {
  const n = rows.length / width;
  const chance = seededChance(seed);
  const noise = new Float32Array(Math.min(count, n) * width);
  for (let i = 0; i < width; i++) {
    let [sum, square] = [0, 0];
    for (let row = 0; row < n; row++) {
      sum += rows[row * width + i];
      square += rows[row * width + i] ** 2;
    }
    const mean = sum / n;
    const spread = Math.sqrt(Math.max(0, square / n - mean ** 2));
    for (let at = i; at < noise.length; at += width) noise[at] = mean + spread * normal(chance);
  }
  return noise;
}

function shareOfMostFrequent(ids: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Math.max(...counts.values()) / ids.length;
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;

/** An interval in three numbers, for records that hold hundreds. */
export const brief = ({ mean, low, high }: Interval): number[] => [round(mean), round(low), round(high)];

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      ...CURVE_FLAGS,
      kinds: listed(z.enum(ROW_KINDS), ROW_KINDS.join(",")),
      probes: listed(z.enum(OWN_TOKEN_PROBES), OWN_TOKEN_PROBES.join(",")),
      networks: z.string().optional(),
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const options = curveOptions(values);
  const texts = await CurveTexts.open(options);
  try {
    await studyOwnTokenCurve({
      texts,
      options,
      layers: values.layers ?? null,
      kinds: values.kinds,
      probes: values.probes,
      networks: values.networks ?? null,
      isDone: (result) => output.has(result),
      write: (result, startedAt) => output.write(result, startedAt),
      report: (doing) => void process.stderr.write(`${doing}\n`),
    });
  } finally {
    await texts.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
