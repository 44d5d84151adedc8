/**
 * Which positions a message tells its receiver about: a pure function of the schedule, used by the ledger and by recorded views.
 */
import type { MessageKey } from "../wire/endpoint.ts";
import { NO_LAYER } from "./session.ts";
import { parsePartyName, type PartyId, type PartyKind } from "./party-name.ts";
import type { Schedule } from "./schedule.ts";

/** Who sends a role to whom, by kind of party; anything else is a message that no schedule knows. */
const ROUTES: Readonly<
  Record<MessageKey["role"], readonly [senders: readonly PartyKind[], receivers: readonly PartyKind[]]>
> = {
  ids: [["client"], ["comp"]],
  q: [["comp"], ["attn"]],
  kv: [["comp"], ["attn"]],
  partial: [["attn"], ["comp"]],
  hidden: [["comp"], ["client"]],
  token: [["comp"], ["client"]],
  seed: [["client", "dealer"], ["smpc"]],
  dealt: [["client", "dealer"], ["smpc"]],
  shares: [["client", "comp"], ["smpc"]],
  opened: [["smpc"], ["smpc"]],
  handover: [["smpc"], ["comp", "client"]],
  pairseed: [["attn"], ["attn"]],
  scale: [["attn"], ["attn"]],
  masked: [["attn"], ["comp"]],
  zeroseed: [["smpc"], ["smpc"]],
  takeseed: [["client"], ["smpc"]],
  taken: [["client"], ["smpc"]],
  given: [["smpc"], ["client"]],
  ahead: [["smpc"], ["client"]],
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
  const [from, to] = [parsePartyName(peer), parsePartyName(party)];
  if (!senders.includes(from.kind) || !receivers.includes(to.kind)) return null;
  if (from.kind === "smpc" || to.kind === "smpc") return smpcPositions(schedule, to, from, key);
  const inLayer = IN_LAYERS.has(key.role);
  if (inLayer ? key.layer < 0 || key.layer >= schedule.layers : key.layer !== NO_LAYER) return null;
  if (key.step < 0 || key.step >= schedule.steps) return null;
  switch (key.role) {
    case "ids":
      return rowsOf(schedule, key.step, to);
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
      return schedule.isMasked && key.step === 0 && isEarlierPart(from, to) ? [] : null;
    case "scale": {
      if (!schedule.isMasked || !(isEarlierPart(from, to) || isEarlierPart(to, from))) return null;
      const asked = [party, peer].map((name) => schedule.pair(key.step, key.layer, name)?.queries ?? []);
      return asked.every(({ length }) => length > 0) ? asked[0] : null;
    }
    case "hidden":
      return rowsOf(schedule, key.step, from);
    case "token":
      return [schedule.stepRange(key.step)[1]];
    default:
      return null;
  }
}

const IN_LAYERS: ReadonlySet<MessageKey["role"]> = new Set(["q", "kv", "partial", "scale", "masked"]);

/** Are these AttnNodes of one query shard, and has `a` an earlier key shard than `b`? */
const isEarlierPart = (a: PartyId, b: PartyId): boolean =>
  a.kind === "attn" && b.kind === "attn" && a.j === b.j && a.k < b.k;

/** Are these SMPC parties, and has `a` the lower number? */
const isLowerParty = (a: PartyId, b: PartyId): boolean => a.kind === "smpc" && b.kind === "smpc" && a.party < b.party;

/** The same for messages from and to SMPC parties. */
function smpcPositions(schedule: Schedule, to: PartyId, from: PartyId, key: MessageKey): readonly number[] | null {
  if (key.step < 0 || key.step >= schedule.steps) return null;
  switch (key.role) {
    case "seed":
      return from.kind === schedule.dealer && key.layer === NO_LAYER && key.step === 0 ? [] : null;
    case "zeroseed":
      return isLowerParty(from, to) && key.layer === NO_LAYER && key.step === 0 ? [] : null;
    case "takeseed":
      return to.kind === "smpc" && to.party > 0 && key.layer === NO_LAYER ? [] : null;
    case "taken":
      if (!(to.kind === "smpc" && to.party === 0)) return null;
      return schedule.segment("smpc", "from", key.layer) === undefined ? null : schedule.positions(key.step);
    case "given":
      return schedule.segment("smpc", "from", key.layer) === undefined ? null : schedule.positions(key.step);
    case "ahead":
      return schedule.segment("smpc", "from", key.layer) === undefined ? null : [];
    case "dealt":
      return from.kind === schedule.dealer && schedule.segment("smpc", "from", key.layer) !== undefined ? [] : null;
    case "shares": {
      if (schedule.segment("smpc", "from", key.layer) === undefined || (from.kind === "client") !== (key.layer === 0))
        return null;
      return from.kind === "client" ? schedule.positions(key.step) : rowsOf(schedule, key.step, from);
    }
    case "opened":
      return schedule.segment("smpc", "from", key.layer) === undefined ? null : schedule.positions(key.step);
    case "handover": {
      if (schedule.segment("smpc", "to", key.layer) === undefined) return null;
      if (to.kind === "client") return schedule.positions(key.step);
      const rows = rowsOf(schedule, key.step, to);
      // After the last layer only the LM head's owner is told, and of one row.
      if (rows === null || key.layer < schedule.layers) return rows;
      return to.kind === "comp" && schedule.lastOwner(key.step) === to.i ? rows.slice(-1) : null;
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

/**
 * The exposure of the keys of S_k (null: of all shards together, as in a masked merge) by results of the query rows `queries` in one step and layer. Keys of
 * the public prefix expose nothing, and hide nothing: whoever has the q row takes them out of a sum, so one secret key among them is alone.
 */
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
  for (let t = schedule.prefixLength; t < to; t++) if (k === null || schedule.s.owner(t) === k) keys.push(t);
  for (const query of queries) {
    const visible = keys.filter((t) => (!causal || t <= query) && (window === null || query - t < window));
    for (const t of visible) summed.add(t);
    if (visible.length === 1) revealed.add(visible[0]);
  }
  return { summed: [...summed], revealed: [...revealed] };
}

/** The positions of a CompNode in a step; null where there are none, and for anybody else. */
function rowsOf(schedule: Schedule, step: number, party: PartyId): readonly number[] | null {
  if (party.kind !== "comp") return null;
  const positions = schedule.rows(step, party.i);
  return positions.length === 0 ? null : positions;
}
