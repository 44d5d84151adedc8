/**
 * An SMPC party: it holds additive shares of all rows at the layers under SMPC, and never a row.
 *
 * Functionality: for each step and SMPC segment: shares of the rows come in (from the client, or from the CompNodes that own them), the
 *   plan runs with the other parties, shares of each row go out to who is next: its CompNode, or the client after the last layer.
 * Parties: client, CompNodes, the other SMPC parties, who deals. Leaks: to this party uniform words (shares, opened words of masked
 *   wires), and the positions that a step computes. Assumes: semi-honest; fewer than all parties collude; nobody colludes with the dealer.
 * Cost: protocols/smpc/plan/plan-cost.ts, share-rows.ts, hand-over.ts. Error bound: the gates'. Reference: smpc.md, "Setting".
 * Test: tests/protocols/fusion/smpc-sessions.test.ts
 */
import { CLIENT, compName, DEALER, smpcName } from "../../cascade/party-name.ts";
import { keyOf, NO_LAYER, type Session, type Witness } from "../../cascade/session.ts";
import { byOwner } from "../../cascade/schedule.ts";
import type { Segment } from "../../cascade/segments.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import type { CorrelationStore } from "../../smpc/run/correlation-store.ts";
import { dealtLayout } from "../../smpc/plan/dealt-layout.ts";
import { packRows } from "../../smpc/run/hand-over.ts";
import { OpenedTags } from "../../smpc/run/opened-tags.ts";
import { PLAN_INPUT } from "../../smpc/lowering/lower-layers.ts";
import { runParty, type Exchange, type PartyBatch, type PartySetting } from "../../smpc/run/party-run.ts";
import type { SegmentFormat } from "../../smpc/plan/placement.ts";
import { batchName, pieceSizes } from "../../smpc/run/batch-pieces.ts";
import { SEED_BYTES, shareFrom, shareMessageBytes } from "../../smpc/run/share-rows.ts";
import type { SmpcProgram } from "../session/smpc-program.ts";
import type { SmpcPhases } from "./smpc-phases.ts";
import { stepsTogether } from "../../smpc/run/ahead-steps.ts";
import { clientLink } from "./client-link.ts";
import { exchangeZeroSeeds } from "./zero-seeds.ts";

/** How long a party may compute in one round: its own work is all local, on rows that are all there. */
const ROUND_DEADLINE_MS = 120_000;

/** What an SMPC party works with in a session. */
export interface SmpcPartyTask {
  readonly party: number;
  readonly session: Session;
  readonly program: SmpcProgram;
  readonly endpoint: Endpoint;
  readonly store: CorrelationStore;
  readonly witness: Witness;
  /** null: nobody times it. */
  readonly phases: SmpcPhases | null;
}

/** Runs an SMPC party until the session's last step; rejects with the reason when the session or a peer ends before. */
export async function runSmpcParty(task: SmpcPartyTask): Promise<void> {
  await new SmpcParty(task).run();
}

/** What a party draws from in a step. */
interface PartyBooks {
  readonly book: StreamBook;
  readonly pairs: ReadonlyMap<number, StreamBook>;
  readonly client: StreamBook | null;
}

class SmpcParty {
  readonly #party: number;
  readonly #parties: number;
  readonly #session: Session;
  readonly #program: SmpcProgram;
  readonly #endpoint: Endpoint;
  readonly #store: CorrelationStore;
  readonly #witness: Witness;
  readonly #phases: SmpcPhases | null;
  readonly #kept: PartySetting["kept"] = new Map();

  constructor({ party, session, program, endpoint, store, witness, phases }: SmpcPartyTask) {
    this.#party = party;
    this.#parties = session.schedule.parties;
    this.#session = session;
    this.#program = program;
    this.#endpoint = endpoint;
    this.#store = store;
    this.#witness = witness;
    this.#phases = phases;
  }

  async run(): Promise<void> {
    const book = new StreamBook(await this.#receive(this.#dealer, "seed", NO_LAYER, 0, SEED_BYTES));
    const pairs = await exchangeZeroSeeds(
      this.#endpoint,
      this.#party,
      this.#parties,
      keyOf(this.#session, "zeroseed", NO_LAYER, 0),
      this.#session.idleDeadlineMs,
    );
    const { steps } = this.#session.schedule;
    if (this.#party > 0 && this.#program.answersAhead)
      for (let from = 0, to = 0; from < steps; from = to) {
        to = stepsTogether(from, steps)[1];
        await this.#ahead(from, to, { book, pairs });
      }
    else
      for (let step = 0; step < steps; step++) {
        const client = await this.#clientBook(step);
        for (const [index, segment] of this.#program.segments.entries())
          await this.#segment(index, segment, step, { book, pairs, client });
      }
  }

  /** Answers steps [from, to), one row each beyond the prompt, together: every matrix is read once. */
  async #ahead(from: number, to: number, { book, pairs }: Omit<PartyBooks, "client">): Promise<void> {
    const steps = Array.from({ length: to - from }, (_, at) => from + at);
    const books: StreamBook[] = [];
    for (const step of steps) books.push((await this.#clientBook(step))!);
    for (const [index, { from: layer }] of this.#program.segments.entries()) {
      const plan = this.#program.planOf(index, from, to);
      const name = batchName(this.#session.number, index, from);
      const streams = books.map((each, at) => each.batch(batchName(this.#session.number, index, steps[at])));
      const place = { party: this.#party, layer, steps };
      await this.#phases?.beforeOnline(from, index);
      await runParty(
        plan,
        {
          party: this.#party,
          parties: this.#parties,
          factors: this.#program.factors,
          exchange: () => Promise.reject(new Error("answers ahead of time: expected nothing to open, got an opening")),
          kept: this.#kept,
          client: clientLink(this.#session, this.#endpoint, place, plan, streams),
        },
        {
          batch: name,
          streams: book.batch(name),
          explicit: null,
          pairs: new Map([...pairs].map(([peer, pairBook]) => [peer, pairBook.batch(name)])),
        },
        {},
      );
      await this.#phases?.afterOnline(from, index);
    }
  }

  get #dealer(): string {
    return this.#session.schedule.dealer === "dealer" ? DEALER : CLIENT;
  }

  async #segment(
    index: number,
    segment: Segment,
    step: number,
    { book, pairs: pairBooks, client }: PartyBooks,
  ): Promise<void> {
    const plan = this.#program.plan(index, step);
    const format = this.#session.smpc!.formats[index];
    const explicit = await this.#batch(index, segment, step, dealtLayout(plan).totalBytes);
    const rows = await this.#input(segment, step, format);
    const name = batchName(this.#session.number, index, step);
    const pairs = new Map([...pairBooks].map(([peer, pairBook]) => [peer, pairBook.batch(name)]));
    const batch: PartyBatch = { batch: name, streams: book.batch(name), explicit, pairs };
    const opened = new OpenedTags();
    const setting: PartySetting = {
      party: this.#party,
      parties: this.#parties,
      factors: this.#program.factors,
      exchange: this.#exchange(segment, step, opened),
      kept: this.#kept,
      client: clientLink(
        this.#session,
        this.#endpoint,
        { party: this.#party, layer: segment.from, steps: [step] },
        plan,
        client === null ? null : [client.batch(name)],
      ),
    };
    await this.#phases?.beforeOnline(step, index);
    const shares = await runParty(plan, setting, batch, { [PLAN_INPUT]: rows });
    await this.#phases?.afterOnline(step, index);
    if (format.outputs.length === 0) return; // the client has them
    await this.#handOver(segment, step, format, opened.finish(pairs), shares);
  }

  /** Of the seed that this party's shares of the client's numbers come from in a step; null where there are none. */
  async #clientBook(step: number): Promise<StreamBook | null> {
    if (this.#party === 0 || !this.#program.hasClientGates) return null;
    return new StreamBook(await this.#receive(CLIENT, "takeseed", NO_LAYER, step, SEED_BYTES));
  }

  /** The explicit words of a batch, through the store: they are used once, or never. */
  async #batch(index: number, { from }: Segment, step: number, bytes: number): Promise<Uint8Array | null> {
    const last = this.#party === this.#parties - 1;
    const words = new Uint8Array(last ? bytes : 0);
    let at = 0;
    for (const [part, size] of pieceSizes(words.length).entries()) {
      words.set(await this.#receive(this.#dealer, "dealt", from, step, size, part), at);
      at += size;
    }
    const batch = batchName(this.#session.number, index, step);
    const label = { batch, plan: this.#program.planHash, party: this.#party };
    await this.#store.put(label, words);
    const taken = await this.#store.take(label);
    return last ? taken : null;
  }

  /** This party's share of all rows of a step, in order of position. */
  async #input({ from }: Segment, step: number, format: SegmentFormat): Promise<Words> {
    const { schedule } = this.#session;
    const positions = schedule.positions(step);
    if (format.inputBits === 0) return new BigUint64Array(0);
    const { columns } = format;
    const receive = async (peer: string, rows: number): Promise<Words> => {
      const words = rows * columns;
      const bytes = shareMessageBytes(this.#party, this.#parties, words, format);
      const message = await this.#receive(peer, "shares", from, step, bytes);
      return shareFrom(message, this.#party, this.#parties, words, format);
    };
    if (from === 0) return receive(CLIENT, positions.length);
    const all: Words = new BigUint64Array(positions.length * columns);
    await Promise.all(
      byOwner(schedule.r, positions).map(async ([owner, owned]) => {
        const share = await receive(compName(owner), owned.length);
        for (const [row, position] of owned.entries())
          all.set(share.subarray(row * columns, (row + 1) * columns), (position - positions[0]) * columns);
      }),
    );
    return all;
  }

  #exchange({ from }: Segment, step: number, opened: OpenedTags): Exchange {
    return async (round, payload) => {
      const peers = Array.from({ length: this.#parties }, (_, party) => party).filter((party) => party !== this.#party);
      const key = keyOf(this.#session, "opened", from, step, round);
      const sent = peers.map((peer) =>
        this.#endpoint.send(smpcName(peer), key, { data: payload, shape: [1, payload.length] }),
      );
      const all: Uint8Array[] = [];
      all[this.#party] = payload;
      // With the peers' parts it is the opened words, which this party has in the clear.
      const positions = this.#session.schedule.positions(step);
      this.#witness.computed("masked", from, step, positions, { data: payload, shape: [1, payload.length] });
      await Promise.all([
        ...sent,
        ...peers.map(async (peer) => {
          // Another party may still wait for its shares, or its batch.
          const deadlineMs = round === 0 ? this.#session.idleDeadlineMs : ROUND_DEADLINE_MS;
          all[peer] = await this.#receive(smpcName(peer), "opened", from, step, payload.length, round, deadlineMs);
        }),
      ]);
      opened.add(round, all);
      return all;
    };
  }

  async #handOver(
    { to }: Segment,
    step: number,
    format: SegmentFormat,
    tags: Uint8Array,
    shares: Readonly<Record<string, Words>>,
  ): Promise<void> {
    const { schedule } = this.#session;
    const [from, end] = schedule.stepRange(step);
    const rows = receivers(this.#session, to, step);
    await Promise.all(
      rows.map(([receiver, positions]) => {
        const indices = positions.map((position) => position - from);
        const data = Buffer.concat([tags, packRows(shares, indices, end - from, format)]);
        return this.#endpoint.send(receiver, keyOf(this.#session, "handover", to, step), {
          data,
          shape: [1, data.length],
        });
      }),
    );
  }

  async #receive(
    peer: string,
    role: "seed" | "dealt" | "shares" | "opened" | "takeseed",
    layer: number,
    step: number,
    bytes: number,
    part = 0,
    deadlineMs = this.#session.idleDeadlineMs,
  ): Promise<Uint8Array> {
    const { data } = await this.#endpoint.receive(peer, keyOf(this.#session, role, layer, step, part), {
      shape: [1, bytes],
      word: "uint8",
      deadlineMs,
    });
    return data as Uint8Array;
  }
}

/** Who gets which positions of a step's rows after the SMPC segment that ends before layer `to`. */
export function receivers(
  { schedule, output, head }: Pick<Session, "schedule" | "output" | "head">,
  to: number,
  step: number,
): readonly (readonly [receiver: string, positions: readonly number[]])[] {
  const positions = schedule.positions(step);
  if (to < schedule.layers) return byOwner(schedule.r, positions).map(([owner, owned]) => [compName(owner), owned]);
  if (output === "all") return [[CLIENT, positions]];
  return [[head === "client" ? CLIENT : compName(schedule.lastOwner(step)), positions.slice(-1)]];
}
