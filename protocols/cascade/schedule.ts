/**
 * Who sends what to whom, when: a pure function of the public session description. Every party computes it for itself, so no
 * message carries positions, and a message that the schedule does not know is refused.
 */
import type { AttentionSpec } from "../../layers/program.ts";
import { remembered } from "../remembered.ts";
import { attnName, compName } from "./party-name.ts";
import { segmentsOf, type Segment } from "./segments.ts";
import { shardingFrom, shards, type Sharding, type ShardingRule } from "./sharding.ts";

/** What the schedule depends on; public. */
export interface ScheduleInput {
  /** R: positions over CompNodes. */
  readonly r: ShardingRule;
  /** S: positions over the AttnNodes' rows and columns. */
  readonly s: ShardingRule;
  /** P: tokens that everybody knows, at positions 0 to P - 1; no party computes their rows in a session. Absent: none. */
  readonly prefixLength?: number;
  /** N: secret tokens of the prompt, at positions P to P + N - 1. */
  readonly promptLength: number;
  /** Upper bound on generated tokens; 0 where only the prompt is computed. */
  readonly maxNewTokens: number;
  /** The attention of each layer. */
  readonly attention: readonly AttentionSpec[];
  /** AttnNodes of a query shard mask their results; absent: they don't. */
  readonly masked?: boolean;
  /** Layers under SMPC (ascending), the number of parties that compute them, and who deals; absent: none. */
  readonly smpc?: {
    readonly layers: readonly number[];
    readonly parties: number;
    readonly dealer: "client" | "dealer";
  } | null;
}

/** The traffic of one pair (j, k) in one step of one layer. Positions ascend. */
export interface PairWork {
  readonly j: number;
  readonly k: number;
  /** Positions of S_j computed in this step, if any of them sees a key of S_k so far; else empty. */
  readonly queries: readonly number[];
  /** Positions of S_k computed in this step, if any query of S_j, now or later in the session, sees one of them; else empty. */
  readonly keys: readonly number[];
}

/** What a CompNode has to do with one pair: which of its rows of the step (by index into `rows`) go there. */
export interface OwnWork {
  readonly j: number;
  readonly k: number;
  readonly queryRows: readonly number[];
  readonly keyRows: readonly number[];
}

/** The schedule of one session. */
export class Schedule {
  readonly r: Sharding;
  readonly s: Sharding;
  readonly layers: number;
  /** Runs of layers, alternately under SMPC and in Cascade. */
  readonly segments: readonly Segment[];
  readonly #input: ScheduleInput;
  /** A number for each kind of visibility that the layers have, by layer: layers with the same mask have the same work. */
  readonly #masks: readonly number[];
  /** Work by mask and step. */
  readonly #work = new Map<number, readonly PairWork[]>();
  /** The pairs of such work by the name of their AttnNode. */
  readonly #pairs = new WeakMap<readonly PairWork[], ReadonlyMap<string, PairWork>>();
  /** The same for one CompNode, by mask, step and i. */
  readonly #ownWork = new Map<number, readonly OwnWork[]>();
  readonly #positions = new Map<number, readonly number[]>();
  /** `byOwner` of the positions of a pair. */
  readonly #owned = new WeakMap<readonly number[], ReadonlyMap<string, readonly number[]>>();

  constructor(input: ScheduleInput) {
    this.#input = input;
    this.r = shardingFrom(input.r);
    this.s = shardingFrom(input.s);
    this.layers = input.attention.length;
    this.segments = segmentsOf(this.layers, input.smpc?.layers ?? []);
    const kinds = input.attention.map(({ causal, window }) => `${causal}/${window}`);
    this.#masks = kinds.map((kind) => kinds.indexOf(kind));
  }

  get alpha(): number {
    return this.r.parts;
  }

  get beta(): number {
    return this.s.parts;
  }

  /** Number of SMPC parties; 0 where no layer is under SMPC. */
  get parties(): number {
    return this.#input.smpc?.parties ?? 0;
  }

  /** Who deals correlations; null where no layer is under SMPC. */
  get dealer(): "client" | "dealer" | null {
    return this.#input.smpc?.dealer ?? null;
  }

  /** Do CompNodes get masked words in place of partial results? */
  get isMasked(): boolean {
    return this.#input.masked === true;
  }

  /** The attention of a layer. */
  attention(layer: number): AttentionSpec {
    return this.#input.attention[layer];
  }

  /** Steps of the session: the prompt, and one for each generated token but the last (which needs no computation). */
  get steps(): number {
    return Math.max(1, this.#input.maxNewTokens);
  }

  /** P: positions below it are of public tokens. */
  get prefixLength(): number {
    return this.#input.prefixLength ?? 0;
  }

  /** Positions are [0, length); the session may compute those from `prefixLength` on. */
  get length(): number {
    return this.prefixLength + this.#input.promptLength + this.steps - 1;
  }

  /** The positions [from, to) that a step computes. */
  stepRange(step: number): readonly [from: number, to: number] {
    const end = this.prefixLength + this.#input.promptLength;
    return step === 0 ? [this.prefixLength, end] : [end + step - 1, end + step];
  }

  /** All positions that a step computes, ascending; the same list for each call. */
  positions(step: number): readonly number[] {
    const [from, to] = this.stepRange(step);
    return remembered(this.#positions, step, () => Array.from({ length: to - from }, (_, at) => from + at));
  }

  /** The segment that begins with a layer, or ends before it; undefined where none does. */
  segment(kind: Segment["kind"], edge: "from" | "to", layer: number): Segment | undefined {
    return this.segments.find((segment) => segment.kind === kind && segment[edge] === layer);
  }

  /** The positions of CompNode i in a step. */
  rows(step: number, i: number): readonly number[] {
    return shards(this.r, ...this.stepRange(step))[i];
  }

  /** The CompNode that owns the last position of a step: it holds the row that the next token comes from. */
  lastOwner(step: number): number {
    return this.r.owner(this.stepRange(step)[1] - 1);
  }

  /** The pairs that have anything to do in a step of a layer. */
  work(step: number, layer: number): readonly PairWork[] {
    return remembered(this.#work, this.#place(step, layer), () => this.#pairWork(step, layer));
  }

  /** What an AttnNode has to do in a step of a layer, if anything. */
  pair(step: number, layer: number, attnNode: string): PairWork | undefined {
    const work = this.work(step, layer);
    return remembered(this.#pairs, work, () => new Map(work.map((pair) => [attnName(pair.j, pair.k), pair]))).get(
      attnNode,
    );
  }

  /** The public positions of S_k whose keys a row of the session may see in a layer: what an AttnNode (·, k) holds from the start. */
  prefixKeys(layer: number, k: number): readonly number[] {
    const { prefixLength } = this;
    const { window } = this.#input.attention[layer];
    const from = window === null ? 0 : Math.max(0, prefixLength - window + 1);
    return shards(this.s, from, prefixLength)[k];
  }

  /** The AttnNodes (j, k) that work on query rows of S_j in a step of a layer, by k, ascending: all of them work on the same rows. */
  askedOf(step: number, layer: number, j: number): readonly number[] {
    return this.work(step, layer)
      .filter((pair) => pair.j === j && pair.queries.length > 0)
      .map(({ k }) => k);
  }

  /** The positions of each CompNode, by its name, among the `queries` or `keys` of a pair: those that own any, in their order. */
  owned(positions: readonly number[]): ReadonlyMap<string, readonly number[]> {
    return remembered(
      this.#owned,
      positions,
      () => new Map(byOwner(this.r, positions).map(([owner, list]) => [compName(owner), list])),
    );
  }

  /** The pairs that CompNode i sends rows to, or gets partial results from, in a step of a layer. */
  ownWork(step: number, layer: number, i: number): readonly OwnWork[] {
    return remembered(this.#ownWork, this.#place(step, layer) * this.alpha + i, () => {
      const rowOf = new Map(this.rows(step, i).map((position, row) => [position, row]));
      const owned = (positions: readonly number[]): number[] =>
        positions.map((t) => rowOf.get(t)).filter((row) => row !== undefined);
      return this.work(step, layer)
        .map(({ j, k, queries, keys }) => ({ j, k, queryRows: owned(queries), keyRows: owned(keys) }))
        .filter(({ queryRows, keyRows }) => queryRows.length + keyRows.length > 0);
    });
  }

  #place(step: number, layer: number): number {
    return step * this.layers + this.#masks[layer];
  }

  #pairWork(step: number, layer: number): PairWork[] {
    const { causal, window } = this.#input.attention[layer];
    const [from, to] = this.stepRange(step);
    const queries = shards(this.s, from, to);
    const future = shards(this.s, from, this.length);
    const work: PairWork[] = [];
    const past = shards(this.s, 0, to);
    for (let j = 0; j < this.beta; j++) {
      if (future[j].length === 0) continue;
      for (let k = 0; k < this.beta; k++) {
        const newKeys = queries[k]; // queries and keys of a step are the same positions
        const keys = seesAny(future[j], newKeys, causal, window) ? newKeys : [];
        const asks = seesAny(queries[j], past[k], causal, window) ? queries[j] : [];
        if (asks.length + keys.length > 0) work.push({ j, k, queries: asks, keys });
      }
    }
    return work;
  }
}

/** Does any query position see any key position? Both ascend. */
function seesAny(queries: readonly number[], keys: readonly number[], causal: boolean, window: number | null): boolean {
  if (queries.length === 0 || keys.length === 0) return false;
  if (!causal) return true;
  let at = 0;
  for (const query of queries) {
    while (at < keys.length && keys[at] <= query) at++;
    if (at > 0 && (window === null || query - keys[at - 1] < window)) return true;
  }
  return false;
}

/** The positions of each CompNode among `positions`: [i, its positions][] for those that own any. */
export function byOwner(sharding: Sharding, positions: readonly number[]): [owner: number, positions: number[]][] {
  const owned = new Map<number, number[]>();
  for (const position of positions) {
    const owner = sharding.owner(position);
    const list = owned.get(owner);
    if (list === undefined) owned.set(owner, [position]);
    else list.push(position);
  }
  return [...owned].sort(([a], [b]) => a - b);
}
