/**
 * Which tokens a view determines, by which rule and at what price: no attack is run, the schedule says it.
 *
 * Rules, each with its reach:
 * - ids: a position whose id was sent.
 * - first rows: rows, keys and values of layer 0 are functions of their own token alone (position is public): a table of the vocabulary.
 * - first sums: partial or merged results of layer 0 are sums over such keys: every position that one of the party's rows sees
 *   (FINDINGS, sections 4 and 5).
 * - own row: a clear row of a later layer, with all tokens before it known: vocabulary matching, some candidates.
 * - sums: rows of one value head over the same keys have the rank of the unknown ones; a candidate lowers it. Works where there are as
 *   many rows as unknown keys, and fewer of both than the head is wide; all tokens before must be known.
 * - clear row: a clear row, or a public projection of one (query, key and value rows), of a later layer of a causal model tells every token that it attends to (joint
 *   decoding).
 * - own token: a clear row whose prefix stays unknown tells its own token to a probe (99.9 % at layer 1, 97.6 % at layer 7 of 8; FINDINGS,
 *   section 3).
 * Encoders: rows see what follows, and no joint attack on them was run: rules that need the tokens before say nothing there.
 */
import type { AttentionSpec } from "../../../layers/program.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import { heldBy, type Held, type HeldLayer, type HeldSum } from "./held.ts";
import { DEFAULT_SIZES, windowPasses, type JointSizes } from "./window-passes.ts";

export const RULES = ["ids", "first rows", "first sums", "own row", "sums", "clear row", "own token"] as const;
export type Rule = (typeof RULES)[number];

export interface Reading {
  readonly rule: Rule;
  readonly layer: number;
  /** Passes through the layers below, of this token. */
  readonly passes: number;
}

export interface LeakModel {
  readonly schedule: Schedule;
  readonly vocabulary: number;
  /** Rules that are applied; absent: all. An attack knows some of them. */
  readonly rules?: ReadonlySet<Rule>;
  /** Of joint decoding; absent: the attack's own. */
  readonly sizes?: Omit<JointSizes, "vocabulary">;
}

/** Candidates of a position whose prefix is known: medians of vocabulary matching and of rank matching (FINDINGS, sections 1 and 4). */
const OWN_ROW_PASSES = 9;
const SUM_PASSES = 100;
/** Own rows of a cluster that a window is decoded from. */
const MOST_OWN = 2;

/**
 * The positions that these parties read together, with the cheapest rule of each; those of a public prefix are known to all and in none.
 * Throws RangeError for a party that the schedule doesn't have.
 */
export function readPositions(model: LeakModel, parties: readonly string[]): ReadonlyMap<number, Reading> {
  return readHeld(model, heldBy(model.schedule, parties));
}

/** The same of what is held. */
export function readHeld(model: LeakModel, held: Held): ReadonlyMap<number, Reading> {
  const { schedule, rules = EVERY_RULE } = model;
  const found = new Map<number, Reading>();
  const { prefixLength, length } = schedule;
  const note: Note = (position, reading) => {
    if (!found.has(position) && rules.has(reading.rule)) found.set(position, reading);
  };
  for (const position of held.ids) note(position, { rule: "ids", layer: 0, passes: 0 });
  const first = held.layers.find(({ layer }) => layer === 0);
  if (first !== undefined)
    for (let position = prefixLength; position < length; position++) {
      if (first.rows.has(position) || first.projections.has(position))
        note(position, { rule: "first rows", layer: 0, passes: 0 });
      if (first.sums.some((sum) => sees(sum, position, schedule.attention(0))))
        note(position, { rule: "first sums", layer: 0, passes: 0 });
    }
  if (schedule.attention(0).causal) readInOrder(model, held, found, note);
  for (const { layer, rows, projections } of held.layers)
    for (const position of [...rows, ...projections]) note(position, { rule: "own token", layer, passes: 0 });
  return found;
}

type Note = (position: number, reading: Reading) => void;

/** Rules of a causal model that need the tokens before: position by position, what is read is known to the next. */
function readInOrder(
  { schedule, vocabulary, rules = EVERY_RULE, sizes = DEFAULT_SIZES }: LeakModel,
  held: Held,
  found: ReadonlyMap<number, Reading>,
  note: Note,
): void {
  const { prefixLength, length } = schedule;
  const isKnown = (position: number): boolean => position < prefixLength || found.has(position);
  for (let position = prefixLength; position < length; position++) {
    if (isKnown(position)) continue;
    for (const reading of ofOnePosition(schedule, held.layers, position, isKnown)) note(position, reading);
    if (found.has(position)) continue;
    const window = rules.has("clear row") ? windowFrom(held.layers, position, isKnown) : null;
    // What comes later may be in sums of layer 0, which are noted already.
    if (window === null) break;
    const { layer, hidden, own } = window;
    const passes = windowPasses(hidden.length, own.length, { ...sizes, vocabulary }) / hidden.length;
    for (const at of hidden) note(at, { rule: "clear row", layer, passes });
    for (const at of own) note(at, { rule: "own row", layer, passes: 0 });
  }
}

const EVERY_RULE: ReadonlySet<Rule> = new Set(RULES);

/** A position whose prefix is known: by a clear row of it, or by the sums that see it. */
function ofOnePosition(
  schedule: Schedule,
  layers: readonly HeldLayer[],
  position: number,
  isKnown: (position: number) => boolean,
): Reading[] {
  const found: Reading[] = [];
  for (const { layer, rows, projections, sums } of layers) {
    if (layer > 0 && (rows.has(position) || projections.has(position)))
      found.push({ rule: "own row", layer, passes: OWN_ROW_PASSES });
    const attention = schedule.attention(Math.min(layer, schedule.layers - 1));
    if (sums.some((sum) => canRank(sum, position, attention, (key) => isKnown(key) || projections.has(key))))
      found.push({ rule: "sums", layer, passes: SUM_PASSES });
  }
  return found.sort((a, b) => a.passes - b.passes);
}

/** Do the rows that see `position`, of those over the fewest unknown keys, tell its key from any other? */
export function canRank(
  { keys, rows, isMerged }: HeldSum,
  position: number,
  attention: AttentionSpec,
  isKnown: (position: number) => boolean,
): boolean {
  if (!keys.includes(position)) return false;
  const last = keys.filter((key) => !isKnown(key));
  let [unknown, count] = [0, 0];
  for (const row of rows) {
    if (row < position || (attention.window !== null && row - position >= attention.window)) continue;
    const seen = last.filter((key) => key <= row && (attention.window === null || row - key < attention.window)).length;
    if (count === 0) unknown = seen;
    if (seen === unknown) count++;
  }
  return count > 0 && hasFreedom(count * (attention.heads / attention.kvHeads), unknown, isMerged, attention.headDim);
}

/** Are there numbers that only a right candidate brings to zero? Merged rows each add their unknown total (experiments/attacks/rank-match/residual-sums.ts). */
function hasFreedom(rows: number, unknown: number, isMerged: boolean, headDim: number): boolean {
  const columns = headDim + 1;
  if (!isMerged) return rows >= unknown && columns >= unknown;
  if (unknown === 1) return true;
  const used = Math.min(rows, Math.max(unknown, Math.ceil(columns / 2)));
  return used >= unknown && columns > used + unknown - 1;
}

const sees = ({ keys, rows }: HeldSum, position: number, { causal, window }: AttentionSpec): boolean =>
  keys.includes(position) &&
  rows.some((row) => (!causal || row >= position) && (window === null || Math.abs(row - position) < window));

/** The unknown positions from one on and the next clear rows behind them, of the layer where they come first; null where none comes. */
function windowFrom(
  layers: readonly HeldLayer[],
  start: number,
  isKnown: (position: number) => boolean,
): { layer: number; hidden: number[]; own: number[] } | null {
  let best: { layer: number; next: number; held: ReadonlySet<number> } | null = null;
  for (const { layer, rows, projections } of layers)
    for (const held of layer === 0 ? [] : [rows, projections]) {
      const next = Math.min(...[...held].filter((position) => position > start));
      if (Number.isFinite(next) && (best === null || next < best.next)) best = { layer, next, held };
    }
  if (best === null) return null;
  const { layer, next, held } = best;
  const hidden = Array.from({ length: next - start }, (_, at) => start + at).filter((position) => !isKnown(position));
  const own = [next];
  while (own.length < MOST_OWN && held.has(own[own.length - 1] + 1)) own.push(own[own.length - 1] + 1);
  return { layer, hidden, own };
}
