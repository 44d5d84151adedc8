/** What a party, or parties together, can conclude of a session, and by what kind of evidence: the worst over all coalitions decides. */
import { attnName, compName, partyKind, smpcName } from "../../../protocols/cascade/party-name.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import { readPositions, type LeakModel, type Reading } from "./read-positions.ts";

/** From the best to the worst; unknown is never taken for safe. */
export const EVIDENCE = ["proved", "unknown", "determined"] as const;
export type Evidence = (typeof EVIDENCE)[number];

export interface PartyEvidence {
  readonly parties: readonly string[];
  /**
   * proved: shares and masked words alone, by the secrecy proofs of the gates; determined: tokens follow from the view by a stated rule;
   * unknown: clear rows that no rule reads (an encoder's).
   */
  readonly evidence: Evidence;
  /** By position; empty where nothing is determined. */
  readonly readings: ReadonlyMap<number, Reading>;
}

/** Of these parties together. All SMPC parties of a session open whatever is on shares: every position that they compute. */
export function evidenceOf(model: LeakModel, parties: readonly string[]): PartyEvidence {
  const { schedule } = model;
  const shares = parties.filter((party) => partyKind(party) === "smpc").length;
  if (schedule.parties > 0 && shares === schedule.parties)
    return { parties, evidence: "determined", readings: everyPosition(schedule) };
  const readings = readPositions(model, parties);
  if (readings.size > 0) return { parties, evidence: "determined", readings };
  return { parties, evidence: shares === parties.length ? "proved" : "unknown", readings };
}

function everyPosition(schedule: Schedule): Map<number, Reading> {
  const layer = schedule.segments.find(({ kind }) => kind === "smpc")?.from ?? 0;
  const all = Array.from({ length: schedule.length - schedule.prefixLength }, (_, at) => schedule.prefixLength + at);
  return new Map(all.map((position) => [position, { rule: "own row", layer, passes: 0 }]));
}

/** The worst over all coalitions of at most `most` of the session's nodes, the smaller one of equals; null for a session without nodes. */
export function worstEvidence(model: LeakModel, most: number): PartyEvidence | null {
  let worst: PartyEvidence | null = null;
  for (const parties of coalitions(nodesOf(model.schedule), most)) {
    const one = evidenceOf(model, parties);
    if (worst === null || isWorse(one, worst)) worst = one;
  }
  return worst;
}

function isWorse(one: PartyEvidence, other: PartyEvidence): boolean {
  const [a, b] = [EVIDENCE.indexOf(one.evidence), EVIDENCE.indexOf(other.evidence)];
  return a > b || (a === b && one.readings.size > other.readings.size);
}

/** Every node of a session, the client and a dealer apart. */
export function nodesOf(schedule: Schedule): string[] {
  const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
  const isCascade = schedule.segments.some(({ kind }) => kind === "cascade");
  return [
    ...range(isCascade ? schedule.alpha : 0).map(compName),
    ...range(isCascade ? schedule.beta : 0).flatMap((j) => range(schedule.beta).map((k) => attnName(j, k))),
    ...range(schedule.parties).map(smpcName),
  ];
}

/** Coalitions of 1 to `most` nodes, the smaller ones first. */
function* coalitions(nodes: readonly string[], most: number): Generator<string[]> {
  for (let size = 1; size <= Math.min(most, nodes.length); size++) yield* choices(nodes, size, 0);
}

function* choices(nodes: readonly string[], size: number, from: number): Generator<string[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = from; at <= nodes.length - size; at++)
    for (const rest of choices(nodes, size - 1, at + 1)) yield [nodes[at], ...rest];
}
