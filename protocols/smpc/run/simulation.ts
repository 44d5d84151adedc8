/**
 * A session's SMPC parties and its dealer in one process, without a network: for tests, error measurements and attacks on views.
 *
 * Functionality: steps follow one another with kept rows, as in a session; the same code as the real parties, fresh masks in every run.
 * Parties: all of them, here. Leaks: everything, to this process. Assumes: nothing that is secret is given to it.
 * Cost: counted (SimulationCounts). Error bound: the gates'. Reference: smpc.md, "Setting". Test: tests/protocols/smpc/plan.test.ts
 */
import { randomBytes } from "node:crypto";
import { ring } from "../../../shares/ring.ts";
import { joinShares, splitWords } from "../../../shares/sharing.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { MAX_RING_BITS, type ShareWords, type Words } from "../../../shares/words.ts";
import { dealAll, type DealerKept } from "./dealer-run.ts";
import type { PartyWire, PublicFactors } from "../plan/gate.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import { ClientPipe } from "./client-pipe.ts";
import { runClient } from "./client-run.ts";
import { noClientValues, type ClientValues } from "./client-values.ts";
import { runParty, type Exchange, type PartySetting } from "./party-run.ts";

type Streams = Pick<StreamBook, "batch">;

/** What a simulated session counted. */
export interface SimulationCounts {
  /** Bytes of all openings, all parties summed. */
  readonly onlineBytes: number;
  /** Explicit words dealt to the last party. */
  readonly dealtBytes: number;
  readonly rounds: number;
}

/** What went between the parties and a client that evaluates gates. */
export interface ClientCounts {
  /** To party 0. */
  readonly takenBytes: number;
  /** From each party. */
  readonly givenBytes: readonly number[];
}

/** All parties and the dealer, and what each sent. */
export class Simulation {
  readonly #factors: PublicFactors;
  readonly #insecureMask: PartySetting["insecureMask"];
  /** A party's streams, once as the party draws them and once as the dealer does, and those that it shares with each peer. */
  readonly #books: readonly {
    readonly party: Streams;
    readonly dealer: Streams;
    readonly pairs: Map<number, StreamBook>;
  }[];
  readonly #kept: readonly Map<string, PartyWire | ShareWords>[];
  readonly #dealerKept: DealerKept = new Map();
  /** Every opened payload, by party, round after round: what the network carries. */
  readonly opened: Uint8Array[][] = [];
  /** What the client sent to party 0, by step and level. */
  readonly taken: Uint8Array[][] = [];
  /** Of the seeds that the client gives parties 1 .. n-1. */
  readonly #clientBooks: readonly { readonly party: Streams; readonly client: Streams }[];
  #steps = 0;

  /**
   * `insecureMask`: see PartySetting; it alters the masks of all parties. `insecureStreams`, in place of a book of streams: only for
   * tests, which must see that a stream that is used twice is found.
   */
  constructor(
    parties: number,
    factors: PublicFactors,
    insecureMask?: PartySetting["insecureMask"],
    insecureStreams: (seed: Uint8Array) => Streams = (seed) => new StreamBook(seed),
  ) {
    this.#insecureMask = insecureMask;
    this.#factors = factors;
    this.#books = Array.from({ length: parties }, () => {
      const seed = randomBytes(32);
      return { party: insecureStreams(seed), dealer: insecureStreams(seed), pairs: new Map() };
    });
    for (let party = 0; party < parties; party++)
      for (let peer = 0; peer < party; peer++) {
        const seed = randomBytes(32);
        this.#books[party].pairs.set(peer, new StreamBook(seed));
        this.#books[peer].pairs.set(party, new StreamBook(seed));
      }
    this.#clientBooks = this.#books.slice(1).map(() => {
      const seed = randomBytes(32);
      return { party: insecureStreams(seed), client: insecureStreams(seed) };
    });
    this.#kept = this.#books.map(() => new Map());
  }

  /**
   * Runs one step. Inputs: real numbers by name, shared afresh; `client`: what a client that evaluates gates brings. Returns the outputs
   * as real numbers by name, the client's among them.
   */
  async run(
    plan: Plan,
    inputs: Readonly<Record<string, ArrayLike<number>>>,
    client: ClientValues = noClientValues(),
  ): Promise<{ outputs: Record<string, Float64Array>; counts: SimulationCounts; clientCounts: ClientCounts }> {
    const parties = this.#books.length;
    const batch = `step ${this.#steps++}`;
    const explicit = dealAll(plan, {
      streams: this.#books.map(({ dealer }) => dealer.batch(batch)),
      kept: this.#dealerKept,
    });
    const shared = shareInputs(plan, parties, inputs);
    let [onlineBytes, rounds] = [0, 0];
    const waiting: ((all: readonly Uint8Array[]) => void)[] = [];
    const parts: Uint8Array[] = Array.from({ length: parties }, () => new Uint8Array(0));
    const exchange =
      (party: number): Exchange =>
      (_round, payload) =>
        new Promise((resolve) => {
          waiting.push(resolve);
          parts[party] = payload;
          onlineBytes += payload.length * (parties - 1);
          if (waiting.length < parties) return;
          rounds++;
          const all = [...parts];
          this.opened.push(all);
          for (const each of waiting.splice(0)) each(all);
        });
    const links = new ClientPipe(parties);
    const atClient = runClient(
      plan,
      { parties, links, streams: this.#clientBooks.map(({ client: book }) => book.batch(batch)), checks: null },
      client,
    );
    const atParties = Promise.all(
      this.#books.map((book, party) =>
        runParty(
          plan,
          {
            party,
            parties,
            factors: this.#factors,
            exchange: exchange(party),
            kept: this.#kept[party],
            insecureMask: this.#insecureMask,
            client: links.of(party, party === 0 ? null : this.#clientBooks[party - 1].party.batch(batch)),
          },
          {
            batch,
            streams: book.party.batch(batch),
            explicit: party === parties - 1 ? explicit : null,
            pairs: new Map([...book.pairs].map(([peer, pair]) => [peer, pair.batch(batch)])),
          },
          shared[party],
        ),
      ),
    );
    const [results, own] = await Promise.all([atParties, atClient]);
    this.taken.push(links.taken);
    return {
      outputs: { ...joinOutputs(plan, results), ...own },
      counts: {
        onlineBytes,
        dealtBytes: explicit.length,
        rounds,
      },
      clientCounts: { takenBytes: links.takenBytes, givenBytes: links.givenBytes },
    };
  }
}

function shareInputs(
  plan: Plan,
  parties: number,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Words>[] {
  const shared: Record<string, Words>[] = Array.from({ length: parties }, () => ({}));
  for (const instruction of plan.instructions) {
    if (instruction.gate !== "input") continue;
    const { name, out } = instruction;
    const words: Words = new BigUint64Array(inputs[name].length);
    ring.encode(words, inputs[name], plan.values[out].fracBits);
    const random = new StreamBook(randomBytes(32)).batch("inputs").stream(name);
    splitWords(words, MAX_RING_BITS, parties, random).forEach((share, party) => (shared[party][name] = share));
  }
  return shared;
}

/** The real numbers that output shares add up to, by name. */
export function joinOutputs(
  plan: Plan,
  shares: readonly Readonly<Record<string, Words>>[],
): Record<string, Float64Array> {
  const outputs: Record<string, Float64Array> = {};
  for (const { x, name, bits } of plan.instructions.filter(
    (instruction): instruction is InstructionOf<"output"> => instruction.gate === "output",
  )) {
    const words = joinShares(
      shares.map((share) => share[name]),
      bits,
    );
    outputs[name] = new Float64Array(words.length);
    ring.decode(outputs[name], words, bits, plan.values[x].fracBits);
  }
  return outputs;
}
