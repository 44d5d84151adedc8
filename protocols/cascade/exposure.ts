/**
 * Which positions a message tells its receiver about: a pure function of the schedule, used by the ledger and by recorded views.
 */
import type { MessageKey } from "../wire/endpoint.ts";
import { NO_LAYER } from "./cascade-session.ts";
import { CLIENT } from "./comp-node.ts";
import { DEALER, type Schedule } from "./schedule.ts";

/** Who sends a role to whom, by kind of party; anything else is a message that no schedule knows. */
const ROUTES: Readonly<
  Record<MessageKey["role"], readonly [senders: readonly string[], receivers: readonly string[]]>
> = {
  ids: [[CLIENT], ["comp"]],
  q: [["comp"], ["attn"]],
  kv: [["comp"], ["attn"]],
  partial: [["attn"], ["comp"]],
  hidden: [["comp"], [CLIENT]],
  token: [["comp"], [CLIENT]],
  seed: [[CLIENT, DEALER], ["smpc"]],
  dealt: [[CLIENT, DEALER], ["smpc"]],
  shares: [[CLIENT, "comp"], ["smpc"]],
  opened: [["smpc"], ["smpc"]],
  handover: [["smpc"], ["comp", CLIENT]],
  pairseed: [["attn"], ["attn"]],
  scale: [["attn"], ["attn"]],
  masked: [["attn"], ["comp"]],
  zeroseed: [["smpc"], ["smpc"]],
};

/**
 * The positions whose data a message holds, row by row (none for what is dealt); null where the schedule knows no such message
 * between these parties.
 */
export function messagePositions(
  schedule: Schedule,
  party: string,
  peer: string,
  key: MessageKey,
): readonly number[] | null {
  const [senders, receivers] = ROUTES[key.role];
  if (!senders.some((kind) => isA(peer, kind)) || !receivers.some((kind) => isA(party, kind))) return null;
  if (isA(peer, "smpc") || isA(party, "smpc")) return smpcPositions(schedule, party, peer, key);
  const inLayer = IN_LAYERS.has(key.role);
  if (inLayer ? key.layer < 0 || key.layer >= schedule.layers : key.layer !== NO_LAYER) return null;
  if (key.step < 0 || key.step >= schedule.steps) return null;
  switch (key.role) {
    case "ids":
      return nonEmpty(schedule.rows(key.step, partIndex(party)));
    case "q":
    case "kv": {
      const work = schedule.pair(key.step, key.layer, party);
      if (work === undefined) return null;
      return schedule.owned(key.role === "q" ? work.queries : work.keys).get(peer) ?? null;
    }
    case "partial":
    case "masked": {
      if (schedule.isMasked !== (key.role === "masked")) return null;
      const work = schedule.pair(key.step, key.layer, peer);
      return work === undefined ? null : (schedule.owned(work.queries).get(party) ?? null);
    }
    case "pairseed":
      return schedule.isMasked && key.step === 0 && samePair(party, peer) && attnPart(peer) < attnPart(party)
        ? []
        : null;
    case "scale": {
      if (!schedule.isMasked || !samePair(party, peer) || party === peer) return null;
      const asked = [party, peer].map((name) => schedule.pair(key.step, key.layer, name)?.queries ?? []);
      return asked.every(({ length }) => length > 0) ? asked[0] : null;
    }
    case "hidden": {
      const rows = schedule.rows(key.step, partIndex(peer));
      return nonEmpty(rows);
    }
    case "token":
      return [schedule.stepRange(key.step)[1]];
    default:
      return null;
  }
}

const IN_LAYERS: ReadonlySet<MessageKey["role"]> = new Set(["q", "kv", "partial", "scale", "masked"]);

/** Are "attn.2.0" and "attn.2.1" of one query shard? */
const samePair = (a: string, b: string): boolean => a.split(".")[1] === b.split(".")[1];

/** "attn.2.1" -> 1. */
export const attnPart = (party: string): number => Number(party.split(".")[2]);

/** The same for messages from and to SMPC parties. */
function smpcPositions(schedule: Schedule, party: string, peer: string, key: MessageKey): readonly number[] | null {
  if (key.step < 0 || key.step >= schedule.steps) return null;
  switch (key.role) {
    case "seed":
      return peer === schedule.dealer && key.layer === NO_LAYER && key.step === 0 ? [] : null;
    case "zeroseed":
      return partIndex(peer) < partIndex(party) && key.layer === NO_LAYER && key.step === 0 ? [] : null;
    case "dealt":
      return peer === schedule.dealer && schedule.segment("smpc", "from", key.layer) !== undefined ? [] : null;
    case "shares": {
      if (schedule.segment("smpc", "from", key.layer) === undefined || (peer === CLIENT) !== (key.layer === 0))
        return null;
      return peer === CLIENT ? schedule.positions(key.step) : nonEmpty(schedule.rows(key.step, partIndex(peer)));
    }
    case "opened":
      return schedule.segment("smpc", "from", key.layer) === undefined ? null : schedule.positions(key.step);
    case "handover": {
      if (schedule.segment("smpc", "to", key.layer) === undefined) return null;
      if (party === CLIENT) return schedule.positions(key.step);
      const rows = nonEmpty(schedule.rows(key.step, partIndex(party)));
      // After the last layer only the LM head's owner is told, and of one row.
      if (rows === null || key.layer < schedule.layers) return rows;
      return schedule.lastOwner(key.step) === partIndex(party) ? rows.slice(-1) : null;
    }
    default:
      return null;
  }
}

/** What partial results over some keys tell their receiver about the keys of other positions. */
export interface PartialExposure {
  /** Positions that are summed into at least one of the rows. */
  readonly summed: readonly number[];
  /** Positions whose V row *is* u / e of some row, because it is the only visible one of these keys. */
  readonly revealed: readonly number[];
}

/** The exposure of the keys of S_k (null: of all shards together, as in a masked merge) by results of the query rows `queries` in one step and layer. */
export function partialExposure(
  schedule: Schedule,
  k: number | null,
  layer: number,
  queries: readonly number[],
  to: number,
): PartialExposure {
  const { causal, window } = schedule.attention(layer);
  const summed = new Set<number>();
  const revealed = new Set<number>();
  const keys: number[] = [];
  for (let t = 0; t < to; t++) if (k === null || schedule.s.owner(t) === k) keys.push(t);
  for (const query of queries) {
    const visible = keys.filter((t) => (!causal || t <= query) && (window === null || query - t < window));
    for (const t of visible) summed.add(t);
    if (visible.length === 1) revealed.add(visible[0]);
  }
  return { summed: [...summed], revealed: [...revealed] };
}

/** Is "comp.3" a "comp"? */
const isA = (party: string, kind: string): boolean => party.split(".", 1)[0] === kind;

/** "comp.3" -> 3. */
function partIndex(party: string): number {
  return Number(party.split(".")[1]);
}

function nonEmpty(positions: readonly number[]): readonly number[] | null {
  return positions.length === 0 ? null : positions;
}
