import type { LemmaRecord } from "../run-lemma.ts";
import type { Member } from "./executed-plan.ts";
import type { DrawFault } from "./random-choices.ts";
import { partiesStep, receiverStep } from "./steps.ts";
import {
  behindPrefix,
  chain,
  chainOfProducts,
  exponential,
  extending,
  leaving,
  opening,
  openingTwice,
  product,
  seriesOf,
  sharing,
  squaring,
  taking,
  takingAgain,
  takingAndOpening,
  takingTwice,
  type TinyPlan,
} from "./tiny-plans.ts";
import { secrecyOf, type Secrecy, type Step } from "./views.ts";

/** Secrecy of some plans, or of plans with a fault, which must not have it. */
export interface SecrecyLemma {
  readonly name: string;
  readonly statement: string;
  readonly expected: "proved" | "refuted";
  readonly widths: string;
  readonly steps: readonly Step[];
}

const OF_PARTIES =
  "what any n - 1 parties draw, are dealt and are sent by the executors of sessions has the same distribution for all inputs: statistical distance 0 over all randomness";
const OF_RECEIVER =
  "what who receives a row sees of it, alone, with the dealer, or with all parties but one, has the same distribution for all inputs that give this row";

/** In place of a stream's words, at whoever draws it: as an executor that draws so. */
const ofStreams = (kind: RegExp, bits: (bits: number) => number): DrawFault => ({
  bits: (purpose, drawn) => (kind.test(purpose) ? bits(drawn) : drawn),
});
const MASKS = /\/mask$/;
const ZEROS = /\/zero$/;
const DEALT = /^\d+\/(?!mask$|zero$)/;
const SHORT = ofStreams(MASKS, (bits) => bits - 1);
const CLEAR = ofStreams(MASKS, () => 0);
const DEALT_IN_CLEAR = ofStreams(DEALT, () => 0);
const AS_THEY_ARE = ofStreams(ZEROS, () => 0);
const TAKEN = /\/taken$/;
const TAKEN_SHORT = ofStreams(TAKEN, (bits) => bits - 1);
const TAKEN_IN_CLEAR = ofStreams(TAKEN, () => 0);
const TAKEN_AGAIN: DrawFault = {
  key: (seed, purpose) => [seed, purpose.replace(TAKEN.test(purpose) ? /^\d+/ : /^$/, "")],
};
const ONE_TAKE_SEED: DrawFault = { key: (seed, purpose) => [seed.replace(/^take \d+$/, "take 1"), purpose] };
const ONE_STREAM: DrawFault = {
  key: (seed, purpose) => [seed, purpose.replace(MASKS.test(purpose) ? /^\d+/ : /^$/, "")],
};
const ONE_SEED: DrawFault = { key: (seed, purpose) => [seed.replace(/^party \d+$/, "party 0"), purpose] };

const WITH_DEALER: readonly Member[] = ["receiver", "dealer"];
const TWO: readonly (readonly Member[])[] = [["receiver"], WITH_DEALER, [0, "receiver"], [1, "receiver"]];
const THREE: readonly (readonly Member[])[] = [
  ["receiver"],
  WITH_DEALER,
  [0, 1, "receiver"],
  [0, 2, "receiver"],
  [1, 2, "receiver"],
];

/** Plans between so many parties. */
const among = (parties: number, plans: readonly TinyPlan[], fault?: DrawFault): Step[] =>
  plans.map((plan) => partiesStep(plan, parties, fault));

/** All of them; `isShort` leaves out what takes more than a second. */
export function secrecyLemmas(isShort: boolean): SecrecyLemma[] {
  const long = (steps: readonly Step[]): readonly Step[] => (isShort ? [] : steps);
  const secret = (name: string, steps: readonly Step[], statement = OF_PARTIES): SecrecyLemma => ({
    name: `secrecy of ${name}`,
    statement,
    expected: "proved",
    widths: steps.map((step) => step.name).join("; "),
    steps,
  });
  const faulty = (name: string, steps: readonly Step[], statement = OF_PARTIES): SecrecyLemma => ({
    ...secret("", steps, statement),
    name: `secrecy: ${name}`,
    expected: "refuted",
  });
  const [multiplied, squared] = [product("multiply", 2, 2, 2), squaring(2, 3)];
  return [
    secret(
      "share",
      [2, 3].flatMap((parties) => among(parties, [3, 4, 5].map(sharing))),
    ),
    secret("open", [
      ...among(2, [opening(3, 3), opening(5, 3), opening(5, 5), openingTwice(3)]),
      ...among(3, [opening(2, 2)]),
      ...long(among(3, [opening(3, 3), opening(4, 3), openingTwice(2)])),
    ]),
    secret("extend", [
      ...among(2, [extending(3, 4), extending(3, 5), extending(4, 5)]),
      ...among(3, [extending(2, 3)]),
      ...long(among(3, [extending(2, 4), extending(3, 4)])),
    ]),
    secret("products", [
      ...among(2, [multiplied, product("row-scale", 2, 2, 2), product("scores", 1, 1, 1), product("mix", 1, 1, 1)]),
      ...among(3, [product("scores", 1, 1, 1)]),
      ...long(among(2, [product("multiply", 2, 2, 3), product("scores", 2, 2, 2), product("mix", 2, 2, 2)])),
      ...long(among(3, [product("mix", 1, 1, 1)])),
    ]),
    secret("squares", [...among(2, [squared, squaring(2, 4)]), ...long(among(3, [squared]))]),
    secret("exp", [
      ...among(2, [exponential(2, 2, 2), exponential(3, 1, 3)]),
      ...long(among(3, [exponential(2, 1, 2)])),
    ]),
    secret("series", [...among(2, [seriesOf(2, 2), seriesOf(2, 3, 1)]), ...long(among(3, [seriesOf(2, 1)]))]),
    secret("chains", [
      ...among(2, [chain(2, 3), chainOfProducts(1)]),
      ...long(among(2, [behindPrefix(1)])),
      ...long(among(3, [chain(2, 3)])),
    ]),
    secret(
      "a row that leaves",
      [receiverStep(leaving(1), 3, THREE), ...long([receiverStep(leaving(2), 2, TWO)])],
      OF_RECEIVER,
    ),
    secret("a server", [
      ...among(2, [taking(3), taking(5), takingTwice(3), takingAgain(3), takingAndOpening(3)]),
      ...among(3, [taking(3), takingTwice(2), takingAgain(2)]),
      ...long(among(3, [taking(5), takingTwice(3), takingAgain(3), takingAndOpening(3)])),
    ]),
    faulty("numbers taken with masks a bit too short", [
      ...among(2, [taking(3), takingAgain(3)], TAKEN_SHORT),
      ...among(3, [taking(2)], TAKEN_SHORT),
    ]),
    faulty("numbers taken with one mask", [
      ...among(2, [takingTwice(3), takingAgain(3)], TAKEN_AGAIN),
      ...among(3, [takingTwice(2)], TAKEN_AGAIN),
    ]),
    faulty("one seed of the client's for two servers", among(3, [taking(3), takingAgain(2)], ONE_TAKE_SEED)),
    faulty("numbers taken in the clear", [
      ...among(2, [taking(3), takingAgain(3)], TAKEN_IN_CLEAR),
      ...among(3, [taking(2)], TAKEN_IN_CLEAR),
    ]),
    faulty("masks a bit too short", [
      ...among(2, [opening(3, 3), opening(4, 3), multiplied, squared, chain(2, 3)], SHORT),
      ...among(3, [opening(2, 2)], SHORT),
    ]),
    faulty("all masks from one stream", [
      ...among(2, [openingTwice(3), multiplied, chain(2, 3)], ONE_STREAM),
      ...among(3, [openingTwice(2)], ONE_STREAM),
    ]),
    faulty("one seed for all parties", [
      ...among(2, [opening(3, 3), squared], ONE_SEED),
      ...among(3, [opening(2, 2)], ONE_SEED),
    ]),
    faulty("opened in the clear", [
      ...among(2, [opening(3, 3), extending(3, 4), behindPrefix(1)], CLEAR),
      ...among(3, [opening(2, 2)], CLEAR),
    ]),
    faulty("dealt in the clear", [
      ...among(2, [extending(3, 5), multiplied, squaring(2, 4), exponential(2, 2, 2), seriesOf(2, 2)], DEALT_IN_CLEAR),
      ...among(3, [extending(2, 3)], DEALT_IN_CLEAR),
    ]),
    faulty(
      "output shares leave as they are",
      [
        receiverStep(leaving(1), 3, [WITH_DEALER], AS_THEY_ARE),
        ...long([receiverStep(leaving(2), 2, [WITH_DEALER], AS_THEY_ARE)]),
      ],
      OF_RECEIVER,
    ),
    faulty("a party with the dealer", [receiverStep(leaving(1), 3, [[0, "dealer", "receiver"]])], OF_RECEIVER),
  ];
}

/** Counts the distributions of a lemma. It is proved if all its distances are 0, refuted if none is; else undecided. */
export async function runSecrecy({ name, statement, expected, widths, steps }: SecrecyLemma): Promise<LemmaRecord> {
  const start = performance.now();
  let verdict: LemmaRecord["verdict"] = "undecided";
  let failure: string | null = null;
  let cases = 0;
  try {
    const found: Secrecy[] = [];
    for (const step of steps) found.push(await secrecyOf(step));
    cases = found.reduce((sum, { compared }) => sum + compared, 0);
    const leaks = found.filter(({ distance }) => distance > 0);
    verdict = leaks.length === 0 ? "proved" : leaks.length === found.length ? "refuted" : "undecided";
    if (verdict !== expected)
      failure =
        expected === "proved" ? leaks[0].where : `${found.length - leaks.length} of ${found.length} have distance 0`;
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const seconds = (performance.now() - start) / 1000;
  return { name, statement, widths, expected, verdict, ok: verdict === expected, cases, seconds, failure };
}
