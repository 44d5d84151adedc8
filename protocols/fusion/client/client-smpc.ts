/**
 * The client's part in the layers under SMPC.
 *
 * Functionality: it embeds its own ids and shares the rows, puts the last ones together, and may deal, a step ahead.
 * Parties: the client, the SMPC parties, the dealer where it is a party of its own. Leaks: to each SMPC party uniform words; to the dealer
 *   when a step begins. Assumes: fewer than all parties collude, nobody with who deals.
 * Cost: `inputShareCost`, `handOverCost`, `seedCost`, and what the plan deals. Error bound: half a unit of the input's fixed point.
 * Reference: smpc.md, "Setting". Test: tests/protocols/fusion/smpc-sessions.test.ts
 */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Tensor } from "../../../layers/tensor.ts";
import { keyOf, type Session } from "../../cascade/session.ts";
import { formatAt, receiveRows, tensorOf } from "../../cascade/hand-over-rows.ts";
import { DEALER, smpcName } from "../../cascade/party-name.ts";
import type { FailedRow } from "../../smpc/run/hand-over.ts";
import { PLAN_LOGITS, PLAN_OUTPUT } from "../../smpc/lowering/lower-layers.ts";
import { ClientEvaluation, type SessionChecks } from "./client-evaluation.ts";
import { SessionDealer, type Clock } from "../session/session-dealer.ts";
import { shareRows } from "../../smpc/run/share-rows.ts";
import type { SmpcProgram } from "../session/smpc-program.ts";
import type { Endpoint } from "../../wire/endpoint.ts";

/** What the client computes itself before layer 0 under SMPC. */
export type Embedding = Pick<StageEngine, "embed">;

/** What a client computes with, and how it is timed. */
export interface ClientOptions {
  /** Needed where layer 0 is under SMPC. */
  readonly embedding?: Embedding | null;
  /** What seconds of dealing are of; by default they are seconds of wall time. */
  readonly dealerClock?: Clock;
  /** Take delegated products as the parties give them: a party that computes wrong or cheats is not noticed. */
  readonly insecureUncheckedAnswers?: boolean;
}

export class ClientSmpc {
  readonly program: SmpcProgram;
  /** Rows that came to the client itself and failed a check. */
  readonly failedRows: FailedRow[] = [];
  readonly #session: Session;
  readonly #endpoint: Endpoint;
  readonly #embedding: Embedding | null;
  /** The client's own dealing; null where a party of its own deals. */
  readonly #dealer: SessionDealer | null;
  /** The client's part of the plans; null where it evaluates no gate. */
  readonly #evaluation: ClientEvaluation | null;
  #evaluated: Promise<Readonly<Record<string, Float64Array>>> | null = null;

  constructor(
    session: Session,
    program: SmpcProgram,
    endpoint: Endpoint,
    { embedding = null, dealerClock }: ClientOptions,
    checks: SessionChecks | null,
  ) {
    this.#session = session;
    this.program = program;
    this.#endpoint = endpoint;
    this.#embedding = embedding;
    this.#dealer =
      session.schedule.dealer === "client" ? new SessionDealer(session, program, endpoint, dealerClock) : null;
    this.#evaluation = program.hasClientGates ? new ClientEvaluation(session, program, endpoint, checks) : null;
    if (this.takesIds && embedding === null)
      throw new Error("layer 0 under SMPC: expected an engine that embeds ids at the client, got none");
  }

  /** Do the client's own rows go into a plan, in place of shares of them? */
  get #keepsRows(): boolean {
    return this.takesIds && formatAt(this.#session, "from", 0).inputBits === 0;
  }

  /** Is layer 0 on shares, so that no node ever gets an id? */
  get takesIds(): boolean {
    return this.#session.schedule.segments[0].kind === "smpc";
  }

  /** Do the last rows come from the SMPC parties to the client? */
  get givesRows(): boolean {
    const { schedule, output, head } = this.#session;
    return schedule.segments.at(-1)!.kind === "smpc" && (output === "all" || head === "client");
  }

  /** Seconds that the client spent on dealing. */
  get dealerSeconds(): number {
    return this.#dealer?.seconds ?? 0;
  }

  /** Seeds and the prompt's batch, once all parties are ready. Resolves when they are sent, or ordered. */
  async start(): Promise<void> {
    await this.#dealer?.start();
    await this.dealTo(0);
    await this.#evaluation?.order(0);
  }

  /** What was dealt or ordered is sent, and what was answered ahead of time is here. */
  async finish(): Promise<void> {
    await this.dealTo(0);
    await this.#evaluation?.close();
  }

  /** Deals, or has dealt, all steps up to one. */
  async dealTo(step: number): Promise<void> {
    if (this.#dealer !== null) await this.#dealer.dealTo(step);
    else await this.#endpoint.sendControl(DEALER, { type: "session-deal", session: this.#session.number, step });
  }

  /**
   * Begins a step: embeds its ids and gives every party its share of the rows, or keeps them where the client evaluates the first layer;
   * its part of the segments runs from here on.
   */
  async begin(step: number, ids: readonly number[]): Promise<void> {
    const { schedule } = this.#session;
    const x = this.takesIds ? await this.#embedding!.embed(ids, schedule.positions(step)) : null; // [rows, d]
    if (x !== null && !this.#keepsRows) await this.#share(step, x);
    this.#evaluated = this.#evaluation === null ? null : this.#evaluate(step, this.#keepsRows ? x : null);
    this.#evaluated?.catch(() => {}); // `receive` tells
  }

  async #evaluate(step: number, x: Tensor | null): Promise<Readonly<Record<string, Float64Array>>> {
    await this.#evaluation!.order(step);
    let outputs: Readonly<Record<string, Float64Array>> = {};
    for (const index of this.program.segments.keys())
      outputs = await this.#evaluation!.run(index, step, index === 0 && x !== null ? Float64Array.from(x.data) : null);
    return outputs;
  }

  async #share(step: number, x: Tensor): Promise<void> {
    const { schedule } = this.#session;
    const messages = shareRows(x.data, schedule.parties, formatAt(this.#session, "from", 0));
    await Promise.all(
      messages.map((data, party) =>
        this.#endpoint.send(smpcName(party), keyOf(this.#session, "shares", 0, step), {
          data,
          shape: [1, data.length],
        }),
      ),
    );
  }

  /** The last `wanted` of the client's own rows. */
  #ownRows(
    own: Readonly<Record<string, Float64Array>>,
    rows: number,
    wanted: number,
  ): { rows: Tensor; logits: Tensor | null } {
    const last = (values: Float64Array): Tensor =>
      tensorOf(values.subarray((values.length / rows) * (rows - wanted)), wanted, this.#word);
    return { rows: last(own[PLAN_OUTPUT]), logits: PLAN_LOGITS in own ? last(own[PLAN_LOGITS]) : null };
  }

  get #word(): "float64" | "float32" {
    return this.#session.wire === "float64" ? "float64" : "float32";
  }

  /** The rows after the last layer, and logits where the LM head is under SMPC too: [rows, d] and [rows, vocabulary]. */
  async receive(step: number): Promise<{ rows: Tensor; logits: Tensor | null }> {
    const { schedule, output } = this.#session;
    const all = schedule.positions(step);
    const positions = output === "all" ? all : all.slice(-1);
    const own = await this.#evaluated;
    if (own !== null && PLAN_OUTPUT in own) return this.#ownRows(own, all.length, positions.length);
    const { outputs, failed } = await receiveRows(this.#session, this.#endpoint, schedule.layers, step, positions);
    this.failedRows.push(...failed);
    const word = this.#word;
    const logits = outputs[PLAN_LOGITS] as Float64Array | undefined;
    return {
      rows: tensorOf(outputs[PLAN_OUTPUT], positions.length, word),
      logits: logits === undefined ? null : tensorOf(logits, positions.length, word),
    };
  }
}
