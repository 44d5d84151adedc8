/**
 * One SMPC party of the bench: the walk, the wire and the hand-over of a session's party (protocols/fusion/node/smpc-party.ts), in phases that
 * can be timed apart. It opens the layers for itself and never sees a row.
 */
import { createHash } from "node:crypto";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { CLIENT, smpcName } from "../../../protocols/cascade/party-name.ts";
import { dealtLayout } from "../../../protocols/smpc/plan/dealt-layout.ts";
import { packRows } from "../../../protocols/smpc/run/hand-over.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PLAN_INPUT } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { runParty, type Exchange, type PartyBatch } from "../../../protocols/smpc/run/party-run.ts";
import type { SegmentFormat } from "../../../protocols/smpc/plan/placement.ts";
import { planFormat } from "../../../protocols/smpc/plan/plan-format.ts";
import { ModelFactors } from "../../../protocols/smpc/factors/public-factors.ts";
import { PublicMatrix } from "../../../protocols/smpc/factors/public-matrix.ts";
import { pieceSizes } from "../../../protocols/smpc/run/batch-pieces.ts";
import { SEED_BYTES, shareFrom, shareMessageBytes } from "../../../protocols/smpc/run/share-rows.ts";
import { exchangeZeroSeeds } from "../../../protocols/fusion/node/zero-seeds.ts";
import type { CounterSnapshot } from "../../../protocols/wire/counters.ts";
import type { Endpoint, MessageKey } from "../../../protocols/wire/endpoint.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { openLayers, planOf, type SmpcTask } from "./workload.ts";

/** Of a process that may share its cores with the other parties and deals nothing. */
const PRODUCT_THREADS = 1;
const DEADLINE_MS = 600_000;

/** What parties compare before the first round. */
export interface PartyHashes {
  readonly plan: string;
  readonly factors: string;
}

/** One walk over the plan. */
export interface PartyTimes {
  readonly seconds: number;
  /** User and system, of the process. */
  readonly cpuSeconds: number;
}

/** What a party counted since it started. */
export interface PartyFigures {
  readonly counters: CounterSnapshot;
  /** Largest resident set of its process. */
  readonly residentBytes: number;
}

/** A party wherever it runs: here, or in a process of its own. */
export interface BenchParty {
  prepare(task: SmpcTask): Promise<PartyHashes>;
  open(session: number): Promise<void>;
  receive(session: number): Promise<void>;
  compute(session: number): Promise<PartyTimes>;
  handOver(session: number): Promise<void>;
  figures(): Promise<PartyFigures>;
}

/** Where a message of a bench session belongs. */
export const benchKey = (session: number, role: MessageKey["role"], part = 0): MessageKey => ({
  session,
  layer: 0,
  step: 0,
  role,
  part,
});

export const benchBatch = (session: number): string => `bench/${session}`;

interface Prepared {
  readonly plan: Plan;
  readonly factors: ModelFactors;
  readonly format: SegmentFormat;
  readonly rows: number;
}

export class LocalBenchParty implements BenchParty {
  readonly #party: number;
  readonly #parties: number;
  readonly #endpoint: Endpoint;
  #prepared: Prepared | null = null;
  #received: { batch: PartyBatch; x: Words } | null = null;
  #outputs: Readonly<Record<string, Words>> | null = null;

  constructor(party: number, parties: number, endpoint: Endpoint) {
    this.#party = party;
    this.#parties = parties;
    this.#endpoint = endpoint;
  }

  /** Lowers the plan and makes every public integer in it; float weights are then let go. */
  async prepare(task: SmpcTask): Promise<PartyHashes> {
    const layers = await openLayers(task.run);
    const product = await Float64Product.open(PRODUCT_THREADS);
    let { parameter } = layers;
    const factors = new ModelFactors(
      (name) => parameter(name),
      (integers, inputs, outputs) => new PublicMatrix(integers, inputs, outputs, product),
    );
    const plan = planOf(layers, task);
    factors.prepare(plan);
    parameter = (name) => {
      throw new Error(`parameter ${name}: expected all factors to be made before the first round`);
    };
    this.#prepared = { plan, factors, format: planFormat(plan, task.rows), rows: task.rows };
    return { plan: createHash("sha256").update(JSON.stringify(plan)).digest("hex"), factors: factors.hash() };
  }

  async open(session: number): Promise<void> {
    this.#endpoint.openSession(session, {});
  }

  /** Takes its seed, its share of the rows and, as the last party, the batch. */
  async receive(session: number): Promise<void> {
    const { plan, format, rows } = this.#ready();
    const last = this.#party === this.#parties - 1;
    const seed = await this.#bytes(CLIENT, benchKey(session, "seed"), SEED_BYTES);
    const words = rows * format.outputs[0].columns;
    const shareBytes = shareMessageBytes(this.#party, this.#parties, words, format);
    const share = await this.#bytes(CLIENT, benchKey(session, "shares"), shareBytes);
    const explicit = last ? new Uint8Array(dealtLayout(plan).totalBytes) : null;
    let at = 0;
    for (const [part, size] of pieceSizes(explicit?.length ?? 0).entries()) {
      explicit!.set(await this.#bytes(CLIENT, benchKey(session, "dealt", part), size), at);
      at += size;
    }
    const key = benchKey(session, "zeroseed");
    const books = await exchangeZeroSeeds(this.#endpoint, this.#party, this.#parties, key, DEADLINE_MS);
    const batch = benchBatch(session);
    const pairs = new Map([...books].map(([peer, book]) => [peer, book.batch(batch)]));
    this.#received = {
      batch: { batch, streams: new StreamBook(seed).batch(batch), explicit, pairs },
      x: shareFrom(share, this.#party, this.#parties, words, format),
    };
  }

  /** The online phase, on what was received; a batch is used once. */
  async compute(session: number): Promise<PartyTimes> {
    const { plan, factors } = this.#ready();
    if (this.#received === null) throw new Error("compute: expected a batch that is not used, got none");
    const { batch, x } = this.#received;
    this.#received = null;
    const setting = {
      party: this.#party,
      parties: this.#parties,
      factors,
      exchange: this.#exchange(session),
      kept: new Map(),
    };
    const before = process.cpuUsage();
    const startedAt = performance.now();
    this.#outputs = await runParty(plan, setting, batch, { [PLAN_INPUT]: x });
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(before);
    return { seconds, cpuSeconds: (user + system) / 1e6 };
  }

  async handOver(session: number): Promise<void> {
    const { format, rows } = this.#ready();
    if (this.#outputs === null) throw new Error("hand-over: expected computed rows, got none");
    const all = Array.from({ length: rows }, (_, row) => row);
    const data = packRows(this.#outputs, all, rows, format);
    this.#outputs = null;
    await this.#endpoint.send(CLIENT, benchKey(session, "handover"), { data, shape: [1, data.length] });
    this.#endpoint.closeSession(session, null);
  }

  async figures(): Promise<PartyFigures> {
    return { counters: this.#endpoint.counters.snapshot(), residentBytes: 1024 * process.resourceUsage().maxRSS };
  }

  #ready(): Prepared {
    if (this.#prepared === null) throw new Error("party: expected a task before a session, got none");
    return this.#prepared;
  }

  #exchange(session: number): Exchange {
    const peers = Array.from({ length: this.#parties }, (_, party) => party).filter((party) => party !== this.#party);
    return async (round, payload) => {
      const key = benchKey(session, "opened", round);
      const all: Uint8Array[] = [];
      all[this.#party] = payload;
      await Promise.all([
        ...peers.map((peer) => this.#endpoint.send(smpcName(peer), key, { data: payload, shape: [1, payload.length] })),
        ...peers.map(async (peer) => {
          all[peer] = await this.#bytes(smpcName(peer), key, payload.length);
        }),
      ]);
      return all;
    };
  }

  async #bytes(peer: string, key: MessageKey, bytes: number): Promise<Uint8Array> {
    const expect = { shape: [1, bytes], word: "uint8", deadlineMs: DEADLINE_MS } as const;
    return (await this.#endpoint.receive(peer, key, expect)).data as Uint8Array;
  }
}
