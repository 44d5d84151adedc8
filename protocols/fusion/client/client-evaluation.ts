/**
 * The client's part in layers of which it evaluates gates: delegated ones, and those of SMPC with groups at the client.
 *
 * Functionality: for each step it gives parties 1 .. n-1 a fresh seed, a step ahead; then it runs its part of each segment's plan.
 * Parties: the client, the SMPC parties. Leaks: to party 0 uniform words, to the others when a step may begin.
 * Assumes: seeds that are used once; not all parties together. Cost: `takeSeedCost`, `ClientCost` of protocols/smpc/plan/plan-cost.ts. Error bound: the gates'.
 * Reference: Slalom, arXiv 1806.03287, with servers that don't collude in place of an enclave. Test: tests/protocols/smpc/delegated-models.test.ts
 */
import { randomBytes } from "node:crypto";
import type { CostExpressions } from "../../cost.ts";
import { keyOf, NO_LAYER, type Session } from "../../cascade/session.ts";
import { smpcName } from "../../cascade/party-name.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { batchName } from "../../smpc/run/batch-pieces.ts";
import { orderedSteps } from "../../smpc/run/ahead-steps.ts";
import { givenByLevel, runClient, WrongAnswerError, type ClientLinks } from "../../smpc/run/client-run.ts";
import { SEED_BYTES } from "../../smpc/run/share-rows.ts";
import type { ProductChecks } from "../../smpc/check/product-checks.ts";
import type { Plan } from "../../smpc/plan/instruction.ts";
import { givenRole } from "../node/client-link.ts";
import type { SmpcProgram } from "../session/smpc-program.ts";
import type { Endpoint } from "../../wire/endpoint.ts";

/** Once a step; n: parties. */
export const takeSeedCost: CostExpressions = {
  payloadBytes: `${SEED_BYTES} * (n - 1)`,
  messages: "n - 1",
  rounds: "0",
  multiplyAdds: "0",
};

/** The checks of a session's answers. */
export interface SessionChecks extends Pick<ProductChecks, "start" | "of"> {
  /** A party was caught: its vectors are not used again. */
  caught(): Promise<void>;
}

export class ClientEvaluation {
  readonly #session: Session;
  readonly #program: SmpcProgram;
  readonly #endpoint: Endpoint;
  /** K and V of the layers that the client attends. */
  readonly #kept = new Map<string, Float64Array>();
  /** Of steps that are ordered and not computed yet: a book a party. */
  readonly #books = new Map<number, readonly StreamBook[]>();
  #ordered = 0;
  readonly #checks: SessionChecks | null;

  /** `checks`: of what the parties answer; null: they are believed. */
  constructor(session: Session, program: SmpcProgram, endpoint: Endpoint, checks: SessionChecks | null) {
    this.#checks = checks;
    for (const index of program.segments.keys()) checks?.start(program.plan(index, 0));
    this.#session = session;
    this.#program = program;
    this.#endpoint = endpoint;
  }

  /** Lets the parties compute a step, and answer those after it ahead of time where they need nothing else for it: gives each its seed. */
  async order(step: number): Promise<void> {
    await this.#orderTo(this.#program.answersAhead ? orderedSteps(step, this.#session.schedule.steps) - 1 : step);
  }

  /** Takes in the answers that were ordered and not used, so that they are counted; they go nowhere. */
  async close(): Promise<void> {
    for (const step of this.#books.keys()) {
      for (const [index, { from }] of this.#program.segments.entries()) {
        const plan = this.#program.plan(index, step);
        const links = this.#links(plan, from, step);
        for (let party = 1; party < this.#session.schedule.parties; party++)
          for (const [level, bytes] of givenByLevel(plan, party)) await links.receive(level, party, bytes);
      }
      this.#books.delete(step);
    }
  }

  async #orderTo(step: number): Promise<void> {
    const last = Math.min(step, this.#session.schedule.steps - 1);
    for (; this.#ordered <= last; this.#ordered++) await this.#order(this.#ordered);
  }

  async #order(step: number): Promise<void> {
    const seeds = Array.from({ length: this.#session.schedule.parties - 1 }, () => randomBytes(SEED_BYTES));
    this.#books.set(
      step,
      seeds.map((seed) => new StreamBook(seed)),
    );
    await Promise.all(
      seeds.map((data, at) =>
        this.#endpoint.send(smpcName(at + 1), keyOf(this.#session, "takeseed", NO_LAYER, step), {
          data,
          shape: [1, data.length],
        }),
      ),
    );
  }

  /** The client's part of a segment in a step, from its own rows (null: the parties have them): outputs by name. */
  async run(segment: number, step: number, x: Float64Array | null): Promise<Readonly<Record<string, Float64Array>>> {
    const books = this.#books.get(step);
    if (books === undefined) throw new Error(`step ${step}: expected seeds that were given, got none`);
    const name = batchName(this.#session.number, segment, step);
    const plan = this.#program.plan(segment, step);
    const outputs = await runClient(
      plan,
      {
        parties: this.#session.schedule.parties,
        links: this.#links(plan, this.#program.segments[segment].from, step),
        streams: books.map((book) => book.batch(name)),
        checks: this.#checks,
      },
      { model: this.#program.clientFactors, inputs: x === null ? {} : { x }, kept: this.#kept },
    ).catch(async (error: unknown) => {
      if (!(error instanceof WrongAnswerError)) throw error;
      await this.#checks!.caught();
      throw new Error(error.message.replace(/^party \d+/, smpcName(error.party)), { cause: error });
    });
    if (segment === this.#program.segments.length - 1) this.#books.delete(step);
    return outputs;
  }

  #links(plan: Plan, layer: number, step: number): ClientLinks {
    return {
      send: (level, data) =>
        this.#endpoint.send(smpcName(0), keyOf(this.#session, "taken", layer, step, level), {
          data,
          shape: [1, data.length],
        }),
      receive: async (level, party, bytes) => {
        const key = keyOf(this.#session, givenRole(plan, party), layer, step, level);
        const { data } = await this.#endpoint.receive(smpcName(party), key, {
          shape: [1, bytes],
          word: "uint8",
          deadlineMs: this.#session.idleDeadlineMs,
        });
        return data as Uint8Array;
      },
    };
  }
}
