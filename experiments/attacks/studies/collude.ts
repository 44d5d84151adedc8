/**
 * Study: which smallest coalition recovers 90 % of the tokens of a setting?
 *
 * Coalitions grow one party at a time, by symmetry always the first ones of a family: CompNodes alone, AttnNodes (j, j) alone, CompNodes
 * with the AttnNode of their own shard. The union of their views is attacked by all attacks that the views feed, ids included where the
 * parties were given them; a coalition breaks a setting where the mean share of all tokens of the prompt reaches 0.9.
 *
 * node --import tsx experiments/attacks/studies/collude.ts --prompts 12 --tokens 64 --out experiments/attacks/records/collude.ndjson
 */
import path from "node:path";
import { z } from "zod";
import { attnName, compName } from "../../../protocols/cascade/party-name.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Recovery } from "../../lab/attack.ts";
import { bootstrapInterval } from "../../lab/statistics/bootstrap.ts";
import { score } from "../../lab/score.ts";
import { attackNamed } from "../registry.ts";
import { seenBy } from "../run/attack-setting.ts";
import { promptIds, trainingText } from "../run/texts.ts";
import { RecordingParties, type RecordedSession } from "../../lab/views/recording-parties.ts";
import { StudyOutput } from "./study-output.ts";
import { STUDY_FLAGS, studyFlags } from "./study-flags.ts";

interface Setting {
  readonly alpha: number;
  readonly c: number;
  readonly m: number;
  readonly smpcLayers: string;
  readonly merge: "plain" | "masked";
}

const BREAKS = 0.9;
/** Forward passes a prompt. */
const BUDGET = 40_000;
const TEXTS = "../texts/heldout.txt";
const SEED = 11;

const SETTINGS: readonly Setting[] = [
  { alpha: 4, c: 2, m: 1, smpcLayers: "none", merge: "plain" },
  { alpha: 4, c: 2, m: 1, smpcLayers: "none", merge: "masked" },
  { alpha: 4, c: 2, m: 1, smpcLayers: "first:1", merge: "plain" },
  { alpha: 8, c: 1, m: 1, smpcLayers: "first:1", merge: "plain" },
  { alpha: 8, c: 2, m: 1, smpcLayers: "first:1", merge: "masked" },
  { alpha: 4, c: 2, m: 2, smpcLayers: "first:1", merge: "masked" },
  { alpha: 4, c: 2, m: 1, smpcLayers: "first:4", merge: "masked" },
];

/** A family's coalition of a size; null where the family has no more parties. */
const FAMILIES: Readonly<Record<string, (size: number, setting: Setting) => string[] | null>> = {
  CompNodes: (size, { alpha }) => (size > alpha ? null : names(size, (i) => [compName(i)])),
  AttnNodes: (size, { alpha, m }) => {
    // (0, 1), (2, 3), ...: every one of them sees two shards.
    const beta = alpha * m;
    const pairs = names(size, (i) => [attnName(Math.min(2 * i, beta - 1), Math.min(2 * i + 1, beta - 1))]);
    return 2 * (size - 1) >= beta ? null : pairs;
  },
  // In turns, each where the last one ended: a CompNode sees m S-shards, an AttnNode (j, k) two.
  "CompNodes and AttnNodes": (size, { alpha, m }) => {
    const coalition: string[] = [];
    let shard = 0;
    while (coalition.length < size && shard < alpha * m) {
      const comp = coalition.length % 2 === 0 && shard % m === 0;
      coalition.push(comp ? compName(shard / m) : attnName(shard, Math.min(shard + 1, alpha * m - 1)));
      shard += comp ? m : 2;
    }
    return size < 2 || coalition.length < size ? null : coalition;
  },
};

const names = (size: number, of: (index: number) => string[]): string[] =>
  Array.from({ length: size }, (_, index) => of(index)).flat();

/** Attacks that views of a setting feed, most believed first. */
function attacksOf({ smpcLayers }: Setting): { name: string; options: Record<string, unknown> }[] {
  const single = ["row-invert", "kv-match", "neighbours"];
  // What rank matching can't prove is the model's own word, which anything that was seen is better than.
  const attacks = smpcLayers === "none" ? ["additive-decode", ...single] : [...single, "rank-match"];
  return attacks.map((name) => ({ name, options: {} }));
}

interface Sizes {
  readonly prompts: number;
  readonly tokens: number;
  readonly calibration: number;
  readonly characters: number;
  /** Lines of text passed over before the first that is attacked. */
  readonly skip: number;
}

/** Every family of a setting, each until a coalition breaks it; sessions are recorded and probes trained once a setting. */
async function studySetting(setting: Setting, sizes: Sizes, training: string, output: StudyOutput): Promise<void> {
  const depth = setting.smpcLayers === "none" ? 0 : Number(setting.smpcLayers.split(":")[1]);
  const parties = await RecordingParties.open({ ...setting, maxTokens: 1 }, () => {});
  try {
    const { model, head, modelPath } = parties.opened;
    const tokenizer = await openTokenizer(modelPath);
    const encode = (text: string): number[] => tokenizer.encode(text, { addSpecial: true });
    const { prompts: count, tokens, calibration, characters, skip } = sizes;
    const ids = await promptIds(
      { prompts: { file: TEXTS, skip, count, tokens, calibration } },
      import.meta.dirname,
      encode,
    );
    const sessions: RecordedSession[] = [];
    for (const prompt of ids.attacked) sessions.push(await parties.record(prompt));
    const calibrated = [];
    for (const prompt of ids.calibration) {
      const session = await parties.record(prompt);
      calibrated.push({ ids: prompt, view: session.view(session.reports.map(({ party }) => party)) });
    }
    const attack = attackNamed("best-of");
    const prepared = await attack.prepare(
      {
        model,
        engine: head!,
        encode,
        training: await trainingText({ training: { file: training, notSources: ["sotu"], characters } }, "."),
        layer: depth,
        calibration: calibrated,
        seed: SEED,
        report: () => {},
      },
      attack.parseOptions({ attacks: attacksOf(setting) }),
    );
    try {
      for (const [family, coalitionOf] of Object.entries(FAMILIES)) {
        const first = coalitionOf(1, setting) === null ? 2 : 1;
        for (let size = first; ; size++) {
          const coalition = coalitionOf(size, setting);
          if (coalition === null) break;
          const result = {
            study: "collude",
            setting: { ...setting, family, size, coalition: coalition.join("+"), ...(skip > 0 ? { skip } : {}) },
            seed: SEED,
          };
          const written = output.written(result);
          if (written !== undefined) {
            if (written.figures.breaks === true) break;
            continue;
          }
          const startedAt = performance.now();
          const scored = { attack: [] as number[], prior: [] as number[], seen: [] as number[] };
          for (const [at, session] of sessions.entries()) {
            const view = session.view(coalition);
            const { description, schedule } = session;
            const knowledge = { model, engine: head!, description, schedule };
            const budget = { forwardPasses: BUDGET, seed: SEED + at };
            const seen = seenBy(session, coalition, view);
            const whole = (recovery: Recovery): number => score(ids.attacked[at], seen, recovery).wholeAccuracy ?? 0;
            scored.attack.push(whole(await prepared.recover(view, knowledge, budget)));
            scored.prior.push(whole(await prepared.prior(view, knowledge, budget)));
            scored.seen.push(seen.positions.size / tokens);
          }
          const reached = bootstrapInterval(scored.attack, SEED);
          const figures = {
            whole: reached,
            prior: bootstrapInterval(scored.prior, SEED),
            seen: bootstrapInterval(scored.seen, SEED),
            breaks: reached.mean >= BREAKS,
          };
          output.write({ ...result, figures, n: sessions.length }, startedAt);
          if (reached.mean >= BREAKS) break;
        }
      }
    } finally {
      await prepared.close();
    }
  } finally {
    await parties.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const values = studyFlags(
    z.strictObject({
      prompts: z.int().min(0).default(8),
      tokens: z.int().min(0).default(64),
      calibration: z.int().min(0).default(2),
      characters: z.int().min(0).default(300000),
      training: z.string().default(path.join(import.meta.dirname, "../../../models/recipe/build/train.jsonl")),
      ...STUDY_FLAGS,
    }),
  );
  const sizes = {
    prompts: values.prompts,
    tokens: values.tokens,
    calibration: values.calibration,
    characters: values.characters,
    skip: values.skip,
  };
  const output = new StudyOutput(values.out === undefined ? null : path.resolve(values.out));
  for (const setting of SETTINGS) await studySetting(setting, sizes, path.resolve(values.training), output);
}
