import type { LemmaRecord } from "../run-lemma.ts";
import { extending, opening, openingTwice, sharing } from "./steps.ts";
import { secrecyOf, type Secrecy, type Step } from "./views.ts";

/** Secrecy of some steps, or of steps with a fault, which must not have it. */
export interface SecrecyLemma {
  readonly name: string;
  readonly statement: string;
  readonly expected: "proved" | "refuted";
  readonly widths: string;
  readonly steps: readonly Step[];
}

const SAID =
  "what any n - 1 parties see has the same distribution for every secret: statistical distance 0 over all randomness";

/** All of them; `isShort` leaves out those of more than 2^16 random choices. */
export function secrecyLemmas(isShort: boolean): SecrecyLemma[] {
  const long = (...steps: readonly Step[]): readonly Step[] => (isShort ? [] : steps);
  const faulty = (name: string, steps: readonly Step[]): SecrecyLemma => ({
    name: `secrecy: ${name}`,
    statement: SAID,
    expected: "refuted",
    widths: widthsOf(steps),
    steps,
  });
  const secret = (name: string, steps: readonly Step[]): SecrecyLemma => ({
    name: `secrecy of ${name}`,
    statement: SAID,
    expected: "proved",
    widths: widthsOf(steps),
    steps,
  });
  return [
    secret(
      "share",
      [2, 3].flatMap((parties) => [3, 4, 5].map((bits) => sharing(parties, bits))),
    ),
    secret("open", [
      opening(2, 3, 3),
      opening(2, 4, 3),
      opening(2, 5, 3),
      opening(2, 5, 5),
      openingTwice(2, 3),
      opening(3, 3, 3),
      ...long(opening(3, 4, 3)),
    ]),
    secret("extend", [
      extending(2, 3, 4),
      extending(2, 3, 5),
      extending(2, 4, 5),
      ...long(extending(3, 2, 4), extending(3, 3, 4)),
      extending(3, 2, 3),
    ]),
    faulty("mask a bit too short", [
      opening(2, 3, 3, "short mask"),
      opening(2, 4, 3, "short mask"),
      opening(3, 3, 3, "short mask"),
    ]),
    faulty("mask used twice", [opening(2, 3, 3, "mask used twice"), opening(3, 3, 3, "mask used twice")]),
    faulty("opened in the clear", [opening(2, 3, 3, "no mask"), opening(3, 3, 3, "no mask")]),
    faulty("dealt in the clear", [extending(2, 3, 5, true), extending(3, 2, 3, true)]),
  ];
}

const widthsOf = (steps: readonly Step[]): string => steps.map(({ name }) => name.replace(/^[^,]*, /, "")).join("; ");

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
