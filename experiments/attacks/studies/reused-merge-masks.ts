/**
 * What a masked merge whose masks are used twice tells one CompNode: planted reuses, by what has seeds in common, layer and shards.
 *
 * npx tsx experiments/attacks/studies/reused-merge-masks.ts --alphas 4,8 --layers 0,1 --steps 28 --prompts 20 --skip 60 --out records.ndjson
 */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { compName } from "../../../protocols/cascade/party-name.ts";
import { insecureReusedMergeMask, type PlantedMask } from "../reused-merge-masks/reused-merge-mask.ts";
import { WeighedShards } from "../reused-merge-masks/weighed-shards.ts";
import { reusedMergeMasks } from "../reused-merge-masks/attack.ts";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import { score } from "../../lab/score.ts";
import { seenBy } from "../run/attack-setting.ts";
import { promptIds } from "../run/texts.ts";
import type { RecordedSession } from "../../lab/views/recording-parties.ts";
import type { RecordedView } from "../../lab/views/recorded-view.ts";
import { StudyModel } from "./study-model.ts";
import { StudyOutput, type StudyResult } from "./study-output.ts";
import { STUDY_FLAGS, listed, studyFlags } from "./study-flags.ts";

/** What two masks have in common: nothing; the steps of a session, after the prompt's; sessions; one pair's seed in sessions. */
const REUSES = ["none", "steps", "sessions", "pair"] as const;
type Reuse = (typeof REUSES)[number];

interface Setting {
  readonly reuse: Reuse;
  readonly alpha: number;
  readonly layer: number;
  readonly tokens: number;
  readonly steps: number;
}

interface Recorded {
  readonly ids: readonly number[];
  readonly session: RecordedSession;
}

const NODE = [compName(0)];

function maskOf(reuse: Reuse, session: number): (j: number, k: number, other: number, step: number) => PlantedMask {
  return (j, k, other, step) => {
    const isReused = reuse === "sessions" || (reuse === "pair" && k === 0 && other === 1);
    return {
      seed: `${isReused ? "both" : session} ${j} ${k} ${other}`,
      stream: reuse === "steps" ? Math.min(step, 1) : step,
    };
  };
}

/** Attacks planted views of `attacked`, a session of known tokens beside each. */
async function studyReuse(
  model: StudyModel,
  { reuse, layer, ...sizes }: Setting,
  [known, ...attacked]: readonly Recorded[],
  seed: number,
): Promise<StudyResult> {
  const knowledgeOf = ({ session: { description, schedule } }: Recorded) => ({
    model: model.model,
    engine: model.engine,
    description,
    schedule,
  });
  const planted = async (of: Recorded, number: number): Promise<RecordedView> => {
    const shards = await WeighedShards.of(knowledgeOf(of), of.ids, layer);
    const { schedule } = of.session;
    return insecureReusedMergeMask(of.session.view(NODE), schedule, layer, shards, maskOf(reuse, number));
  };
  const calibration = [{ ids: known.ids, view: await planted(known, 0) }];
  const preparation = { model: model.model, engine: model.engine, layer, calibration };
  const attack = await reusedMergeMasks.prepare(preparation as never, {});
  const metrics = { hiddenAccuracy: [] as number[], hiddenTop5: [] as number[], certified: [] as number[] };
  const sums = { certifiedWrong: 0, maskedRows: 0, reusedMasks: 0, openedRows: 0 };
  for (const [at, each] of attacked.entries()) {
    const view = await planted(each, at + 1);
    const recovery = await attack.recover(view, knowledgeOf(each), { forwardPasses: 1, seed });
    const scores = score(each.ids, seenBy(each.session, NODE, view), recovery);
    metrics.hiddenAccuracy.push(scores.hiddenAccuracy!);
    metrics.hiddenTop5.push(scores.hiddenTop5!);
    metrics.certified.push(scores.certified);
    sums.certifiedWrong += scores.certifiedWrong;
    for (const name of ["maskedRows", "reusedMasks", "openedRows"] as const) sums[name] += recovery.figures[name];
  }
  return {
    study: "reused-merge-masks",
    setting: { model: model.name, reuse, layer, ...sizes },
    figures: {
      ...Object.fromEntries(Object.entries(metrics).map(([name, all]) => [name, bootstrapInterval(all, seed)])),
      ...sums,
    },
    n: attacked.length,
    seed,
  };
}

async function main(): Promise<void> {
  const values = studyFlags(
    z.strictObject({
      model: z.string().optional(),
      alphas: listed(z.int().min(1), "4"),
      layers: listed(z.int().min(0), "0"),
      reuses: listed(z.enum(REUSES), REUSES.join(",")),
      prompts: z.int().min(0).default(20),
      tokens: z.int().min(0).default(32),
      steps: z.int().min(0).default(16),
      ...STUDY_FLAGS,
    }),
  );
  const output = new StudyOutput(values.out ?? null);
  const { prompts: count, tokens, steps, skip, seed } = values;
  const { reuses } = values;
  for (const alpha of values.alphas) {
    const setting = { alpha, c: 1, smpcLayers: "none", merge: "masked", maxTokens: 1 };
    const model = await StudyModel.open(values.model ?? null, setting);
    try {
      const file = fileURLToPath(new URL("../texts/heldout.txt", import.meta.url));
      const given = { prompts: { file, skip, count, calibration: 1, tokens } };
      const prompts = await promptIds(given, ".", model.encode);
      const recorded: Recorded[] = [];
      for (const ids of [...prompts.calibration, ...prompts.attacked])
        recorded.push({ ids, session: await model.parties.record(ids, steps) });
      for (const layer of values.layers)
        for (const reuse of reuses) {
          const wanted = { reuse, alpha, layer, tokens, steps };
          const key = {
            study: "reused-merge-masks",
            setting: { model: model.name, reuse, layer, alpha, tokens, steps },
          };
          if (output.has({ ...key, seed })) continue;
          process.stderr.write(`alpha ${alpha}, layer ${layer}, masks in common: ${reuse}\n`);
          const startedAt = performance.now();
          output.write(await studyReuse(model, wanted, recorded, seed), startedAt);
        }
    } finally {
      await model.close();
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
