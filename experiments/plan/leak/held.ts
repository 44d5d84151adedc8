/** What parties hold of a session together, by the public schedule alone: which rows, keys and sums, of which positions. */
import { isVisible } from "../../../layers/reference/attention.ts";
import type { Schedule } from "../../../protocols/cascade/schedule.ts";
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";

/** Rows of attention at a layer over some keys: a shard's, or all (a masked merge). */
export interface HeldSum {
  /** Positions of the keys that any row may see, ascending. */
  readonly keys: readonly number[];
  /** Positions of the rows, ascending; each sees the keys up to itself in a causal model. */
  readonly rows: readonly number[];
  /** Is a row the sum over all shards, whose total is unknown? */
  readonly isMerged: boolean;
}

/** What is held at the input of one layer, or within it. */
export interface HeldLayer {
  readonly layer: number;
  /** Hidden rows in the clear. */
  readonly rows: ReadonlySet<number>;
  /** Query rows, or key and value rows, in the clear: public projections of hidden rows. */
  readonly projections: ReadonlySet<number>;
  readonly sums: readonly HeldSum[];
}

export interface Held {
  /** Positions whose token ids were sent. */
  readonly ids: ReadonlySet<number>;
  /** Layers that differ in what is held: layer 0 where it is in the clear, and the first later one of each kind of attention. */
  readonly layers: readonly HeldLayer[];
  /** How many SMPC parties are among them. */
  readonly smpcParties: number;
}

/** Throws RangeError for a party that the schedule doesn't have, Error for a name that is none. */
export function heldBy(schedule: Schedule, parties: readonly string[]): Held {
  const comps = new Set<number>();
  const attns: string[] = [];
  let smpcParties = 0;
  for (const party of parties) {
    const id = parsePartyName(party);
    if (id.kind === "comp" && id.i < schedule.alpha) comps.add(id.i);
    else if (id.kind === "attn" && id.j < schedule.beta && id.k < schedule.beta) attns.push(party);
    else if (id.kind === "smpc" && id.party < schedule.parties) smpcParties++;
    else throw new RangeError(`party ${party}: expected one of the session's nodes, got none of them`);
  }
  const computed = range(schedule.prefixLength, schedule.length);
  const own = computed.filter((position) => comps.has(schedule.r.owner(position)));
  const layers = clearLayers(schedule).map(({ layer, isComputed }): HeldLayer => {
    const projections = new Set<number>(isComputed ? own : []);
    if (isComputed)
      for (const attn of attns)
        for (let step = 0; step < schedule.steps; step++) {
          const pair = schedule.pair(step, layer, attn);
          for (const position of [...(pair?.queries ?? []), ...(pair?.keys ?? [])]) projections.add(position);
        }
    return {
      layer,
      rows: new Set(own),
      projections,
      sums: isComputed && own.length > 0 ? sumsOf(schedule, layer, own) : [],
    };
  });
  const hasIds = schedule.segments[0].kind === "cascade";
  return { ids: new Set(hasIds ? own : []), layers, smpcParties };
}

/** Layers with clear rows at their input, one of each kind; `isComputed`: in Cascade, so that attention is held too. */
function clearLayers(schedule: Schedule): { layer: number; isComputed: boolean }[] {
  const found = new Map<string, { layer: number; isComputed: boolean }>();
  for (const { kind, from, to } of schedule.segments) {
    if (kind !== "cascade") continue;
    for (let layer = from; layer <= to; layer++) {
      const isComputed = layer < to;
      const { causal, window } = schedule.attention(Math.min(layer, schedule.layers - 1));
      const name = `${layer === 0} ${isComputed} ${causal}/${window}`;
      if (!found.has(name)) found.set(name, { layer, isComputed });
    }
  }
  return [...found.values()];
}

function sumsOf(schedule: Schedule, layer: number, own: readonly number[]): HeldSum[] {
  const attention = schedule.attention(layer);
  const all = range(schedule.prefixLength, schedule.length);
  const seenBy = (keys: readonly number[]): HeldSum => ({
    keys,
    rows: own.filter((row) => keys.some((key) => isVisible(attention, row, key))),
    isMerged: schedule.isMasked,
  });
  if (schedule.isMasked) return [seenBy(all)];
  return range(0, schedule.beta).map((k) => seenBy(all.filter((position) => schedule.s.owner(position) === k)));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);
