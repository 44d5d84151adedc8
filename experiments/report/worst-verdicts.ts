/**
 * The worst verdict on each setting, over all attacks and records; and the stronger attacks that nobody has run there. One attack's "no leak
 * found" bounds nothing: what counts for a setting is the best attacker that it has met.
 */
import { placementText } from "../../protocols/fusion/config/run-config.ts";
import { STRENGTHS, type Attack } from "../lab/attack.ts";
import type { AttackFact } from "./attack-fact.ts";
import {
  attackersOf,
  includes,
  settingOf,
  viewParts,
  type AttackedSetting,
  type Attackers,
} from "./attacked-setting.ts";
import { grouped } from "./grouped.ts";

/** Of an attack: its name, what it works on, how far it goes. */
export type Strength = Pick<Attack<unknown>, "name" | "strength" | "reads">;

export interface WorstVerdict {
  readonly setting: AttackedSetting;
  readonly attackers: Attackers;
  /** Whose tokens were read: hidden, of positions that the attackers saw nothing of (all, where they saw every one), or their own. */
  readonly tokens: "hidden" | "own";
  readonly worst: AttackFact;
  /** Facts of this setting and these attackers, the worst first. */
  readonly facts: readonly AttackFact[];
  /** Attacks that these attackers could run, that go further than any that was run, and of which no record is. */
  readonly notAttackedBy: readonly string[];
}

/** From the worst on. */
export const VERDICTS: readonly AttackFact["verdict"][] = ["breaks", "leaks", "undecided", "no leak found", "void"];

/** Is a verdict of the attackers' own tokens alone? */
const isOfOwn = ({ metric }: AttackFact): boolean => metric === "ownAccuracy";

/** The worse fact first: by verdict; of equal ones hidden tokens before own ones, a smaller coalition before a larger one, whole prompts before parts, then by the share that was surely read. */
export function byWeight(a: AttackFact, b: AttackFact): number {
  return (
    VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) ||
    Number(isOfOwn(a)) - Number(isOfOwn(b)) ||
    a.coalition.length - b.coalition.length ||
    Number(a.part !== null) - Number(b.part !== null) ||
    b.share.low - a.share.low ||
    b.prompts - a.prompts
  );
}

/**
 * A row a setting and kind of attackers, but those whom fewer of the same attackers match. Pure: what the records say, nothing else.
 * `strengths`: the attacks that there are.
 */
export function worstVerdicts(facts: readonly AttackFact[], strengths: readonly Strength[]): WorstVerdict[] {
  const settings = grouped(facts, (fact) => JSON.stringify(settingOf(fact)));
  return [...settings.values()].flatMap((of) => ofSetting(of, strengths));
}

function ofSetting(facts: readonly AttackFact[], strengths: readonly Strength[]): WorstVerdict[] {
  const setting = settingOf(facts[0]);
  const groups = grouped(facts, (fact) => JSON.stringify([isOfOwn(fact), attackersOf(fact.coalition)]));
  const verdicts = [...groups.values()].map((group): WorstVerdict => {
    const sorted = group.toSorted(byWeight);
    const attackers = attackersOf(sorted[0].coalition);
    const tokens = isOfOwn(sorted[0]) ? "own" : "hidden";
    const within = facts.filter(({ coalition }) => includes(attackers, attackersOf(coalition)));
    const notAttackedBy =
      tokens === "own" ? [] : strongerThan(within, viewParts(attackers, placementText(facts[0].config)), strengths);
    return { setting, attackers, tokens, worst: sorted[0], facts: sorted, notAttackedBy };
  });
  return verdicts.filter((one) => !verdicts.some((other) => other !== one && makesNeedless(other, one)));
}

/** Did fewer (or the same kinds of) attackers get as far, on the same tokens? */
function makesNeedless(smaller: WorstVerdict, larger: WorstVerdict): boolean {
  if (smaller.tokens !== larger.tokens || !includes(larger.attackers, smaller.attackers)) return false;
  return VERDICTS.indexOf(smaller.worst.verdict) <= VERDICTS.indexOf(larger.worst.verdict);
}

/** Was every token read, so that nothing is left for a stronger attack? */
const isAll = ({ verdict, hidden, share }: AttackFact): boolean => verdict === "breaks" && (hidden ?? share).mean === 1;

/** Names of the attacks that work on such a view and go further than those of the facts; none where these left no token unread. */
export function strongerThan(
  facts: readonly AttackFact[],
  parts: ReadonlySet<string>,
  strengths: readonly Strength[],
): string[] {
  if (facts.some(isAll)) return [];
  const ran = new Set(facts.filter(({ verdict }) => verdict !== "void").flatMap((fact) => fact.ran));
  const order = ({ strength }: Strength): number => STRENGTHS.indexOf(strength);
  const furthest = Math.max(-1, ...strengths.filter(({ name }) => ran.has(name)).map(order));
  return strengths
    .filter((one) => order(one) > furthest && one.reads.some((part) => parts.has(part)))
    .map(({ name }) => name);
}

/** What of a setting has no column of its own: m above 1, wire, rules. */
export function alsoText({ m, wire, more }: AttackedSetting): string {
  return [
    ...(m === null || m === 1 ? [] : [`m ${m}`]),
    ...(wire === null || wire === "float32" ? [] : [wire]),
    ...(more === null ? [] : [more]),
  ].join(", ");
}

/** The default model first, from no layer on shares to all; within that by sharding, then the smaller coalition. */
export function inOrder(a: WorstVerdict, b: WorstVerdict): number {
  const [one, other] = [a.setting, b.setting];
  return (
    Number(one.model !== "default") - Number(other.model !== "default") ||
    one.model.localeCompare(other.model) ||
    Number(one.alpha === null) - Number(other.alpha === null) ||
    depth(one) - depth(other) ||
    one.onShares.localeCompare(other.onShares) ||
    (other.merge ?? "").localeCompare(one.merge ?? "") ||
    (one.alpha ?? 0) - (other.alpha ?? 0) ||
    (one.c ?? 0) - (other.c ?? 0) ||
    alsoText(one).localeCompare(alsoText(other)) ||
    a.worst.coalition.length - b.worst.coalition.length ||
    VERDICTS.indexOf(a.worst.verdict) - VERDICTS.indexOf(b.worst.verdict)
  );
}

/** First layers on shares: none, 1, 2, ...; other choices after them. */
function depth({ onShares }: AttackedSetting): number {
  if (onShares === "none") return 0;
  return Number(/^first (\d+)$/.exec(onShares)?.[1] ?? Infinity);
}
