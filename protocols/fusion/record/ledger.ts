/**
 * The exposure ledger of one party in one session: which positions it saw, at which layers, as what. It is fed by what the party
 * really received and computed, not by what the schedule says that it should.
 */
import type { Tensor } from "../../../layers/tensor.ts";
import type { ComputedKind, Witness } from "../../cascade/session.ts";
import { messagePositions, partialExposure, type PartialExposure } from "../../cascade/exposure.ts";
import { parsePartyName } from "../../cascade/party-name.ts";
import type { Schedule } from "../../cascade/schedule.ts";
import type { MessageKey, WireTensor } from "../../wire/endpoint.ts";

/**
 * As what a position was seen. merged: its K and V only in sums over all that a row sees; scale: the log-sum-exp of another shard for its
 * q row; weighed: its K only in such a number, logit: alone in it. share: additive shares of its rows; masked: opened words of them, each plus a uniform mask. summed: its K and V only in a sum with others; revealed: its V row, by a sum over a single visible key.
 */
export type ExposureKind =
  | "id"
  | ComputedKind
  | "partial"
  | "summed"
  | "revealed"
  | "merged"
  | "scale"
  | "weighed"
  | "logit"
  | "share"
  | "masked"
  | "unscheduled";

/** Kinds that are inferred from a message of other positions. */
export const INFERRED: ReadonlySet<ExposureKind> = new Set(["summed", "revealed", "merged", "weighed", "logit"]);

/** Kinds that show a position's own tensors; the gap and the cluster are computed on them. */
export const DIRECT: ReadonlySet<ExposureKind> = new Set(["id", "row", "q", "k", "v", "attended", "logits", "token"]);

export interface Exposure {
  /** Positions seen directly, ascending. */
  readonly positions: readonly number[];
  /** kind -> layers and positions */
  readonly kinds: {
    readonly [kind in ExposureKind]?: { readonly layers: readonly number[]; readonly positions: readonly number[] };
  };
  /** Smallest difference above 1 between neighbouring positions seen; null where there is no gap. */
  readonly minGap: number | null;
  /** Longest run of consecutive positions seen. */
  readonly maxCluster: number;
  /** The same two, counting positions whose V row a partial result gave away. */
  readonly minGapWithRevealed: number | null;
  readonly maxClusterWithRevealed: number;
}

/** The positions of a message that the schedule does not know. */
const NOWHERE: readonly number[] = [];

export class Ledger implements Witness {
  readonly #schedule: Schedule;
  readonly #party: string;
  /** What the positions of a partial result expose of the keys, by shard and mask. */
  readonly #partials = new WeakMap<readonly number[], Map<string, PartialExposure>>();
  /** By kind, lists of positions and the layers at which they were seen. The schedule gives the same list for all layers of a step. */
  readonly #seen = new Map<ExposureKind, Map<readonly number[], Set<number>>>();

  constructor(schedule: Schedule, party: string) {
    this.#schedule = schedule;
    this.#party = party;
  }

  /** Notes a tensor that arrived at the transport. A message that the schedule does not know is noted as unscheduled. */
  received(peer: string, key: MessageKey): void {
    const positions = messagePositions(this.#schedule, this.#party, peer, key);
    if (positions === null) return this.#note("unscheduled", key.layer, NOWHERE);
    switch (key.role) {
      case "ids":
        return this.#note("id", key.layer, positions);
      case "q":
        return this.#note("q", key.layer, positions);
      case "kv":
        this.#note("k", key.layer, positions);
        return this.#note("v", key.layer, positions);
      case "partial": {
        this.#note("partial", key.layer, positions);
        const { summed, revealed } = this.#partialExposure(keyShard(peer), key, positions);
        this.#note("summed", key.layer, summed);
        return this.#note("revealed", key.layer, revealed);
      }
      case "masked": {
        this.#note("masked", key.layer, positions);
        const { summed, revealed } = this.#partialExposure(null, key, positions);
        this.#note("merged", key.layer, summed);
        return this.#note("revealed", key.layer, revealed);
      }
      case "scale": {
        this.#note("scale", key.layer, positions);
        const { summed, revealed } = this.#partialExposure(keyShard(peer), key, positions);
        this.#note("weighed", key.layer, summed);
        return this.#note("logit", key.layer, revealed);
      }
      case "hidden":
        return this.#note("row", this.#schedule.layers, positions);
      case "token":
        return this.#note("token", key.layer, positions);
      case "shares":
        return this.#noteSegment("share", key.layer, positions);
      case "opened":
        return this.#noteSegment("masked", key.layer, positions);
      case "taken":
        return this.#noteSegment("masked", key.layer, positions);
      case "handover":
        return this.#note("share", key.layer, positions);
      case "given":
        return this.#noteSegment("share", key.layer, positions);
      case "seed":
      case "pairseed":
      case "zeroseed":
      case "takeseed":
      case "ahead":
      case "dealt":
        return; // random words that depend on nothing
    }
  }

  /** A party that has shares of a segment's input has shares of all its layers. */
  #noteSegment(kind: "share" | "masked", from: number, positions: readonly number[]): void {
    const { to } = this.#schedule.segment("smpc", "from", from)!;
    for (let layer = from; layer < to; layer++) this.#note(kind, layer, positions);
  }

  computed(
    kind: ComputedKind,
    layer: number,
    _step: number,
    positions: readonly number[],
    _tensor: Tensor | WireTensor,
  ): void {
    this.#note(kind, layer, positions);
  }

  /** What the party has seen so far. */
  exposure(): Exposure {
    const direct = this.#union((kind) => DIRECT.has(kind));
    const withRevealed = this.#union((kind) => DIRECT.has(kind) || kind === "revealed");
    const kinds: Record<string, { layers: number[]; positions: number[] }> = {};
    for (const [kind, seen] of this.#seen) {
      const layers = new Set([...seen.values()].flatMap((each) => [...each]));
      kinds[kind] = { layers: ascending(layers), positions: this.#union((other) => other === kind) };
    }
    return {
      positions: direct,
      kinds,
      ...gapAndCluster(direct),
      minGapWithRevealed: gapAndCluster(withRevealed).minGap,
      maxClusterWithRevealed: gapAndCluster(withRevealed).maxCluster,
    };
  }

  /** Layers with the same mask expose the same positions: computed once a step. */
  #partialExposure(k: number | null, key: MessageKey, positions: readonly number[]): PartialExposure {
    const { causal, window } = this.#schedule.attention(key.layer);
    const id = `${key.step}/${k}/${causal}/${window}`;
    let known = this.#partials.get(positions);
    if (known === undefined) this.#partials.set(positions, (known = new Map()));
    let exposure = known.get(id);
    if (exposure === undefined) {
      exposure = partialExposure(this.#schedule, k, key.layer, positions, this.#schedule.stepRange(key.step)[1]);
      known.set(id, exposure);
    }
    return exposure;
  }

  #note(kind: ExposureKind, layer: number, positions: readonly number[]): void {
    if (positions.length === 0 && kind !== "unscheduled") return;
    let lists = this.#seen.get(kind);
    if (lists === undefined) this.#seen.set(kind, (lists = new Map()));
    const layers = lists.get(positions);
    if (layers === undefined) lists.set(positions, new Set([layer]));
    else layers.add(layer);
  }

  #union(wanted: (kind: ExposureKind) => boolean): number[] {
    const all = new Set<number>();
    for (const [kind, lists] of this.#seen)
      if (wanted(kind)) for (const positions of lists.keys()) for (const position of positions) all.add(position);
    return ascending(all);
  }
}

/** The smallest gap and the largest cluster of ascending positions (the gap of clusters c = 8, delta = 64 is 57). */
export function gapAndCluster(positions: readonly number[]): { minGap: number | null; maxCluster: number } {
  let minGap: number | null = null;
  let maxCluster = positions.length === 0 ? 0 : 1;
  let run = 1;
  for (let at = 1; at < positions.length; at++) {
    const gap = positions[at] - positions[at - 1];
    run = gap === 1 ? run + 1 : 1;
    maxCluster = Math.max(maxCluster, run);
    if (gap > 1) minGap = Math.min(minGap ?? gap, gap);
  }
  return { minGap, maxCluster };
}

/** k of AttnNode (j, k). */
const keyShard = (party: string): number => parsePartyName(party, "attn").k;

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}
