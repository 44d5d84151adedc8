/**
 * Who deals in a session: seeds when it opens, then one batch a segment and step, a step ahead of the parties.
 *
 * Functionality: see dealer-run.ts. Parties: the client or the party "dealer", and the SMPC parties.
 * Leaks: nothing to the dealer: it receives nothing. Assumes: the dealer colludes with no party.
 * Cost: `seedCost`; the batches' are in protocols/smpc/plan/plan-cost.ts. Error bound: none. Reference: smpc.md, "Setting".
 * Test: tests/protocols/fusion/smpc-sessions.test.ts
 */
import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { keyOf, NO_LAYER, type Session } from "../../cascade/session.ts";
import { smpcName } from "../../cascade/party-name.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import type { CostExpressions } from "../../cost.ts";
import type { Endpoint } from "../../wire/endpoint.ts";
import { batchName, BatchPieces, pieceSizes } from "../../smpc/run/batch-pieces.ts";
import { dealPieces, type DealerKept } from "../../smpc/run/dealer-run.ts";
import { dealtLayout } from "../../smpc/plan/dealt-layout.ts";
import { answersAhead } from "../../smpc/plan/plan-cost.ts";
import { SEED_BYTES } from "../../smpc/run/share-rows.ts";
import type { SmpcProgram } from "./smpc-program.ts";

/** Once a session; n: parties. */
export const seedCost: CostExpressions = { payloadBytes: "32 * n", messages: "n", rounds: "0", multiplyAdds: "0" };

/** Seconds since some moment. */
export type Clock = () => number;

const wallClock: Clock = () => performance.now() / 1000;

export class SessionDealer {
  readonly #session: Session;
  readonly #program: SmpcProgram;
  readonly #endpoint: Endpoint;
  readonly #seeds: readonly Uint8Array[];
  readonly #books: readonly StreamBook[];
  readonly #kept: DealerKept = new Map();
  readonly #clock: Clock;
  /** Steps dealt, and to be dealt, in order. */
  #next = 0;
  #dealing: Promise<void> = Promise.resolve();
  #seconds = 0;

  /** `clock`: what its seconds are of. */
  constructor(session: Session, program: SmpcProgram, endpoint: Endpoint, clock = wallClock) {
    this.#session = session;
    this.#program = program;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#seeds = Array.from({ length: session.schedule.parties }, () => randomBytes(SEED_BYTES));
    this.#books = this.#seeds.map((seed) => new StreamBook(seed));
  }

  /** Gives every party its seed; batches may follow. */
  async start(): Promise<void> {
    await Promise.all(
      this.#seeds.map((data, party) =>
        this.#endpoint.send(smpcName(party), keyOf(this.#session, "seed", NO_LAYER, 0), {
          data,
          shape: [1, data.length],
        }),
      ),
    );
  }

  /** Deals all steps up to `step` (as far as the session has them); resolves when they are sent. */
  dealTo(step: number): Promise<void> {
    const last = Math.min(step, this.#session.schedule.steps - 1);
    for (; this.#next <= last; this.#next++) {
      const next = this.#next;
      this.#dealing = this.#after(this.#dealing, next);
    }
    return this.#dealing;
  }

  /** Seconds of computation so far. */
  get seconds(): number {
    return this.#seconds;
  }

  async #after(before: Promise<void>, step: number): Promise<void> {
    await before;
    await this.#deal(step);
  }

  async #deal(step: number): Promise<void> {
    for (const [index, { from }] of this.#program.segments.entries()) {
      let startedAt = this.#clock();
      const plan = this.#program.plan(index, step);
      if (answersAhead(plan)) continue; // nothing is opened, so that there is nothing to deal
      const messages = new BatchPieces(pieceSizes(dealtLayout(plan).totalBytes));
      const batch = batchName(this.#session.number, index, step);
      const streams = this.#books.map((book) => book.batch(batch));
      for (const bytes of dealPieces(plan, { streams, kept: this.#kept })) {
        const full = messages.add(bytes);
        this.#seconds += this.#clock() - startedAt;
        for (const [part, data] of full) await this.#send(from, step, part, data);
        await setImmediate(); // the loop answers, and sends what a session sends beside this
        startedAt = this.#clock();
      }
    }
  }

  #send(layer: number, step: number, part: number, data: Uint8Array): Promise<void> {
    const key = keyOf(this.#session, "dealt", layer, step, part);
    return this.#endpoint.send(smpcName(this.#seeds.length - 1), key, { data, shape: [1, data.length] });
  }
}
