/** Rows of studies as facts of a setting, by the rule that a study states for its rows (full-grid.json). */
import { compName } from "../../protocols/cascade/party-name.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { Metric } from "../lab/metric.ts";
import type { AttackFact, Share } from "./attack-fact.ts";
import type { RecordPlace, StudyRecord } from "./read-records.ts";

/** What a study's row says, before it has its setting's words. */
interface Told {
  readonly ran: readonly string[];
  readonly coalition: readonly string[];
  readonly verdict: AttackFact["verdict"];
  readonly metric: Metric;
  readonly share: Share;
  readonly hidden: Share | null;
  readonly passes: number | null;
  readonly seconds: number | null;
  readonly certifiedWrong: number | null;
  readonly noise: number | null;
  /** Where the study attacks rows alone, what any sharding leaves: the setting that tells a node least of those with such rows. */
  readonly setting: Record<string, unknown>;
}

type Row = StudyRecord["setting"];
type Figures = StudyRecord["figures"];

/** The fact of a row, or null: a curve over rows or gaps, of no setting of parties. */
export function studyFact(record: StudyRecord, place: RecordPlace): AttackFact | null {
  const { study, setting, figures } = record;
  if (typeof setting.alpha !== "number" || typeof setting.c !== "number") return null;
  const told = STUDIES[study]?.(setting, figures, record);
  if (told === undefined || told === null) return null;
  const { noise, setting: more, ...fact } = told;
  return {
    ...fact,
    part: study === "lp" ? "one cluster a prompt" : null,
    attack: study === "infill" ? String(setting.attack) : study,
    model: typeof setting.model === "string" ? setting.model : "default",
    config: parseRunConfig(
      { alpha: setting.alpha, c: setting.c, ...picked(setting), ...more },
      `${place.file}:${place.line}: `,
    ),
    layer: typeof setting.layer === "number" ? setting.layer : firstClear(setting),
    prompts: record.n,
    tokens: typeof setting.tokens === "number" ? setting.tokens : null,
    controls: { positive: null, noise },
    place,
  };
}

const STUDIES: Readonly<Record<string, (setting: Row, figures: Figures, record: StudyRecord) => Told | null>> = {
  "additive-decode": ofSums,
  "partial-softmax": ofSums,
  lp: ofProgram,
  collude: ofCoalition,
  infill: ofFilling,
  "gap-chain": ofChain,
};

/** Leaks where the interval of hidden tokens lies above the prior's; a wrong certificate, or one on noise, voids. */
function ofSums(_: Row, figures: Figures, { study }: StudyRecord): Told {
  const hidden = share(figures.hiddenAccuracy)!;
  const certifiedWrong = count(figures.certifiedWrong);
  const isVoid = certifiedWrong !== 0 || count(figures.noiseCertified) !== 0;
  return {
    ran: [study],
    coalition: [compName(0)],
    verdict: isVoid ? "void" : aboveOrUndecided(hidden, share(figures.prior)),
    metric: "hiddenAccuracy",
    share: hidden,
    hidden,
    passes: 0,
    seconds: share(figures.seconds)?.mean ?? null,
    certifiedWrong,
    noise: share(figures.noise)?.mean ?? null,
    setting: {},
  };
}

/** Breaks where accuracy less the prior's lies above 0. Deviations of an L1 fit also read noise, which voids; noise itself is no setting. */
function ofProgram({ noise, normalNoise, fit, sums }: Row, figures: Figures): Told | null {
  const hidden = share(figures.accuracy);
  const difference = share(figures.accuracyDifference);
  if (hidden === null || difference === null || noise === true || normalNoise === true) return null;
  return {
    ran: ["lp"],
    coalition: [compName(0)],
    verdict: fit === "l1" ? "void" : difference.low > 0 ? "breaks" : "undecided",
    metric: "hiddenAccuracy",
    share: hidden,
    hidden,
    passes: null,
    seconds: share(figures.seconds)?.mean ?? null,
    certifiedWrong: typeof figures.provenWrong === "number" ? figures.provenWrong : null,
    noise: null,
    setting: { merge: sums === "merged" ? "masked" : "plain" },
  };
}

/** A coalition breaks a setting where it recovers 90 % of all tokens. */
function ofCoalition({ coalition, smpcLayers }: Row, figures: Figures): Told {
  const whole = share(figures.whole)!;
  const single = ["row-invert", "kv-match", "neighbours"];
  return {
    ran: [smpcLayers === "none" ? "additive-decode" : "rank-match", ...single],
    coalition: String(coalition).split("+"),
    verdict: figures.breaks === true ? "breaks" : aboveOrUndecided(whole, share(figures.prior)),
    metric: "wholeAccuracy",
    share: whole,
    hidden: null,
    passes: null,
    seconds: null,
    certifiedWrong: null,
    noise: null,
    setting: {},
  };
}

/** Fails where ROUGE-L of the hidden tokens is above 0.5; leaks where it is above the prior's. */
function ofFilling({ attack, ids }: Row, figures: Figures): Told {
  const rouge = share(figures.hiddenRougeL)!;
  const isAbove = share(figures.hiddenRougeLDifference)!.low > 0;
  return {
    ran: [String(attack)],
    coalition: [compName(0)],
    verdict: !isAbove ? "undecided" : rouge.mean > 0.5 ? "breaks" : "leaks",
    metric: "hiddenRougeL",
    share: rouge,
    hidden: share(figures.hiddenAccuracy),
    passes: typeof figures.forwardPasses === "number" ? figures.forwardPasses : null,
    seconds: null,
    certifiedWrong: null,
    noise: null,
    setting: ids === true ? { smpcLayers: "none", merge: "masked" } : { smpcLayers: "first:1", merge: "masked" },
  };
}

/** Hidden tokens leak where their interval lies above that of the prior. */
function ofChain(_: Row, figures: Figures): Told {
  const hidden = share(figures.hidden)!;
  return {
    ran: ["gap-match"],
    coalition: [compName(0)],
    verdict: aboveOrUndecided(hidden, share(figures.priorHidden)),
    metric: "hiddenAccuracy",
    share: hidden,
    hidden,
    passes: share(figures.passes)?.mean ?? null,
    seconds: null,
    certifiedWrong: count(figures.certifiedWrong),
    noise: null,
    setting: { smpcLayers: "first:1", merge: "masked" },
  };
}

/** Of studies that attack the first layer in Cascade. */
const firstClear = ({ smpcLayers }: Row): number => Number(/^first:(\d+)$/.exec(String(smpcLayers))?.[1] ?? 0);

const aboveOrUndecided = (of: Share, prior: Share | null): AttackFact["verdict"] =>
  of.low > (prior?.high ?? 0) ? "leaks" : "undecided";

const count = (figure: unknown): number => (typeof figure === "number" ? figure : 0);

/** { mean, low, high, n }, or null. */
function share(figure: unknown): Share | null {
  return typeof figure === "object" && figure !== null && "mean" in figure ? (figure as Share) : null;
}

/** The keys of a run config that rows of studies have, beside alpha and c. */
function picked(setting: Row): Record<string, unknown> {
  const keys = ["m", "wire", "merge", "smpcLayers"].filter((key) => setting[key] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, setting[key]]));
}
