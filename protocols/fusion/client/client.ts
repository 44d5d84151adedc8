/**
 * The client: it owns the prompt, opens sessions, sends every id to its owner only, and turns the last row into the next token.
 *
 * Functionality: for each step: ids of the new positions out, to their CompNodes or (layer 0 under SMPC) as shares of embedded rows; the
 *   row of the last position, all rows, or a token back.
 * Parties: the client, every node of the session. Leaks: to a CompNode the ids of its own positions where layer 0 is in Cascade; to all
 *   nodes the public description: lengths, shardings, which layers are under SMPC.
 * Assumes: semi-honest nodes, private links. Cost: `inputCost`, `outputCost` (protocols/cascade/edges.ts), and client-smpc.ts. Error bound: none.
 * Reference: arXiv 2507.05228. Test: tests/protocols/cascade/equivalence.test.ts, tests/protocols/fusion/client-returns.test.ts
 */
import { randomBytes } from "node:crypto";
import { allocate, type FloatArray, type Tensor } from "../../../layers/tensor.ts";
import { keyOf, NO_LAYER, type Session } from "../../cascade/session.ts";
import { compName, partyKind } from "../../cascade/party-name.ts";
import { byOwner, type Schedule } from "../../cascade/schedule.ts";
import type { ControlMessage, Endpoint } from "../../wire/endpoint.ts";
import type { FailedRow } from "../../smpc/run/hand-over.ts";
import { ProductChecks } from "../../smpc/check/product-checks.ts";
import type { SessionChecks } from "./client-evaluation.ts";
import { INTEGERS, openProduct, programSetting, SmpcProgram } from "../session/smpc-program.ts";
import { ClientSmpc, type ClientOptions } from "./client-smpc.ts";
import { nodeNames } from "../deployment/deployment.ts";
import type { HostedModel } from "../node/party-host.ts";
import type { PartyReport } from "../record/party-report.ts";
import type { SessionControl } from "../session/session-control.ts";
import { sessionFrom, descriptionHashes, type SessionDescription } from "../session/session-description.ts";

/** How long nodes may take to open or close a session. */
const CONTROL_DEADLINE_MS = 60_000;

export class Client {
  readonly #endpoint: Endpoint;
  readonly #model: HostedModel;
  readonly #nodes: readonly string[];
  readonly #options: ClientOptions;
  readonly #sessions = new Map<number, ClientSession>();
  #checks: Promise<ProductChecks> | null = null;

  /** `nodes`: names of all other parties. */
  constructor(endpoint: Endpoint, model: HostedModel, nodes: readonly string[], options: ClientOptions = {}) {
    this.#endpoint = endpoint;
    this.#model = model;
    this.#nodes = nodes;
    this.#options = options;
    endpoint.onControl((peer, message) => this.#control(peer, message));
    endpoint.onPeerLost((peer, reason) => {
      for (const session of this.#sessions.values()) session.fail(new Error(`${peer} is lost: ${reason.message}`));
    });
  }

  /**
   * Opens a session on every node; rejects with the first node's reason to refuse, or the names of those that don't answer. `number`
   * names the session, and with it its batches of correlations: never one that was taken before.
   */
  async open(description: SessionDescription, number = randomBytes(4).readUInt32LE()): Promise<ClientSession> {
    const session = sessionFrom(number, description, this.#model.spec, this.#model.program);
    const nodes = sessionNodes(session, this.#nodes);
    const { smpc } = description;
    const program =
      smpc === null
        ? null
        : await SmpcProgram.open(this.#model, session.schedule, programSetting({ ...description, smpc }), false);
    const checks = program?.hasClientGates === true ? await this.#answerChecks() : null;
    const part = program === null ? null : new ClientSmpc(session, program, this.#endpoint, this.#options, checks);
    this.#endpoint.openSession(number, { word: description.wire });
    const opened = new ClientSession(
      this.#endpoint,
      session,
      description,
      this.#model.spec.width,
      nodes,
      () => this.#sessions.delete(number),
      part,
    );
    this.#sessions.set(number, opened);
    try {
      await opened.open();
    } catch (error) {
      await opened.abort(error instanceof Error ? error.message : String(error));
      throw error;
    }
    return opened;
  }

  /** For all sessions until a party is caught. */
  async #answerChecks(): Promise<SessionChecks | null> {
    if (this.#options.insecureUncheckedAnswers === true) return null;
    const product = await openProduct();
    this.#checks ??= ProductChecks.open(this.#model, product);
    const checks = await this.#checks;
    return {
      start: (plan) => checks.start(plan),
      of: (products) => checks.of(products),
      caught: () => {
        this.#checks = null;
        return checks.forget();
      },
    };
  }

  #control(peer: string, message: ControlMessage): void {
    const control = message as SessionControl;
    const session = this.#sessions.get(control.session);
    if (session === undefined) return;
    if (control.type === "session-ready") session.ready(peer, control.hashes);
    else if (control.type === "session-report") session.reported(peer, control.report as PartyReport);
    else if (control.type === "session-abort") session.fail(new Error(`${peer}: ${control.reason}`));
  }
}

/** The nodes that a session needs, of those that there are. Throws Error where they aren't those that the deployment stands for. */
function sessionNodes({ schedule, head, output }: Session, nodes: readonly string[]): string[] {
  const { alpha, beta, parties, dealer } = schedule;
  const cascade =
    schedule.segments.some(({ kind }) => kind === "cascade") || (head === "compnode" && output === "last");
  const wanted = cascade ? nodeNames(alpha, beta) : [];
  const there = nodes.filter((name) => ["comp", "attn"].includes(partyKind(name)));
  if (cascade && (wanted.length !== there.length || !wanted.every((name) => there.includes(name))))
    throw new Error(
      `shardings: expected those that the ${there.length} nodes stand for, got alpha ${alpha} and beta ${beta}, which need ${wanted.length}`,
    );
  const secret = nodeNames(0, 0, parties, dealer === "dealer");
  const lacking = secret.filter((name) => !nodes.includes(name));
  if (lacking.length > 0)
    throw new Error(
      `smpc: expected a deployment with ${secret.join(", ")}, got one without ${lacking.join(", ")}; start it with as many parties`,
    );
  return [...wanted, ...secret];
}

/** What a step gives: rows after the last layer (with logits where the LM head is under SMPC), or the next token. */
export type StepResult = { readonly rows: Tensor; readonly logits: Tensor | null } | { readonly token: number };

/** One session, from the client's side. */
export class ClientSession {
  readonly description: SessionDescription;
  readonly #session: Session;
  readonly #endpoint: Endpoint;
  /** d: columns of a row. */
  readonly #width: number;
  readonly #nodes: readonly string[];
  readonly #ended: () => void;
  readonly #smpc: ClientSmpc | null;
  readonly #ready = new Set<string>();
  /** The hash of public integers of the first party that told one. */
  #integers: string | undefined;
  readonly #reports = new Map<string, PartyReport>();
  readonly #cpuAtOpen = process.cpuUsage();
  #failure: Error | null = null;
  #waiting: { done: () => boolean; resolve: () => void; reject: (reason: Error) => void } | null = null;

  constructor(
    endpoint: Endpoint,
    session: Session,
    description: SessionDescription,
    width: number,
    nodes: readonly string[],
    ended: () => void,
    smpc: ClientSmpc | null,
  ) {
    this.#endpoint = endpoint;
    this.#width = width;
    this.#session = session;
    this.description = description;
    this.#nodes = nodes;
    this.#ended = ended;
    this.#smpc = smpc;
  }

  get number(): number {
    return this.#session.number;
  }

  get schedule(): Schedule {
    return this.#session.schedule;
  }

  /** The plans of the layers under SMPC; null where there are none. */
  get program(): SmpcProgram | null {
    return this.#smpc?.program ?? null;
  }

  /** Rows that came to the client itself and failed a check. */
  get failedRows(): readonly FailedRow[] {
    return this.#smpc?.failedRows ?? [];
  }

  /** Seconds that the client spent on dealing. */
  get dealerSeconds(): number {
    return this.#smpc?.dealerSeconds ?? 0;
  }

  /** Sends the description to every node and waits until all hold it. */
  async open(): Promise<void> {
    const message = { type: "session-open", session: this.#session.number, description: this.description };
    await Promise.all(this.#nodes.map((node) => this.#endpoint.sendControl(node, message)));
    await this.#wait(
      () => this.#ready.size === this.#nodes.length,
      () => `session-ready from ${missing(this.#nodes, this.#ready)}`,
      this.#openDeadlineMs,
    );
    try {
      await this.#smpc?.start();
    } catch (error) {
      throw this.#failure ?? error; // a party that refuses its batch says why
    }
  }

  /**
   * Computes one step: sends its ids, [rows of the step], to their owners, and returns what comes back: rows after the last layer,
   * [1, d] (or [N, d] in order of position with output "all"), or the token id where the LM head is at the CompNode.
   */
  async step(step: number, ids: readonly number[]): Promise<StepResult> {
    const { schedule } = this.#session;
    const [from, to] = schedule.stepRange(step);
    if (ids.length !== to - from) throw new RangeError(`step ${step}: expected ${to - from} ids, got ${ids.length}`);
    this.#throwIfFailed();
    const owners = byOwner(schedule.r, schedule.positions(step));
    try {
      await this.#smpc?.begin(step, ids);
      if (this.#smpc?.takesIds !== true) await this.#sendIds(step, ids, owners);
      // The next step's batch is dealt while the parties compute this one.
      if (step + 1 < schedule.steps) this.#smpc?.dealTo(step + 1).catch((error: Error) => this.fail(error));
      if (this.#smpc?.givesRows) return await this.#smpc.receive(step);
      if (this.#session.output === "all") return { rows: await this.#allRows(step, from, to, owners), logits: null };
      const peer = compName(schedule.lastOwner(step));
      if (this.#session.head === "compnode") {
        const { data } = await this.#endpoint.receive(peer, keyOf(this.#session, "token", NO_LAYER, step), {
          shape: [1, 1],
          word: "int32",
          deadlineMs: this.#deadlineMs,
        });
        return { token: data[0] };
      }
      return { rows: await this.#receiveRows(peer, step, 1), logits: null };
    } catch (error) {
      throw this.#failure ?? error; // the first cause, where a node named one
    }
  }

  async #sendIds(step: number, ids: readonly number[], owners: readonly [number, number[]][]): Promise<void> {
    const [from] = this.#session.schedule.stepRange(step);
    await Promise.all(
      owners.map(([owner, owned]) =>
        this.#endpoint.send(compName(owner), keyOf(this.#session, "ids", NO_LAYER, step), {
          data: Int32Array.from(owned, (position) => ids[position - from]),
          shape: [owned.length, 1],
        }),
      ),
    );
  }

  /** How long rows may take to come back: the default, but where SMPC parties compute. */
  get #deadlineMs(): number | undefined {
    return this.#smpc === null ? undefined : this.#session.idleDeadlineMs;
  }

  /** Ends the session on every node and collects their reports, client last. */
  async close(): Promise<PartyReport[]> {
    await this.#smpc?.finish();
    const message = { type: "session-close", session: this.#session.number };
    await Promise.all(this.#nodes.map((node) => this.#endpoint.sendControl(node, message)));
    await this.#wait(
      () => this.#reports.size === this.#nodes.length,
      () => `session-report from ${missing(this.#nodes, this.#reports)}`,
    );
    this.#endpoint.closeSession(this.#session.number, null);
    this.#ended();
    return this.#nodes.map((node) => this.#reports.get(node)!);
  }

  /** Ends the session after a failure: nodes are told why, nothing is waited for. */
  async abort(reason: string): Promise<void> {
    this.#ended();
    this.#endpoint.closeSession(this.#session.number, new Error(reason));
    const message = { type: "session-abort", session: this.#session.number, party: this.#endpoint.party, reason };
    await Promise.allSettled(this.#nodes.map((node) => this.#endpoint.sendControl(node, message)));
  }

  /** CPU seconds of the client's process since the session was opened. */
  get cpuSeconds(): number {
    const cpu = process.cpuUsage(this.#cpuAtOpen);
    return (cpu.user + cpu.system) / 1e6;
  }

  ready(node: string, hashes: Readonly<Record<string, string>>): void {
    const computes = ["smpc", "dealer"].includes(partyKind(node));
    const mine: Record<string, string> = {
      ...descriptionHashes(this.description),
      ...(computes ? this.program?.hashes() : {}),
    };
    // Where the client has no matrices, the parties must have the same ones.
    if (computes && INTEGERS in hashes) mine[INTEGERS] ??= this.#integers ??= hashes[INTEGERS];
    const fields = new Set([...Object.keys(mine), ...Object.keys(hashes)]);
    const differing = [...fields].filter((field) => mine[field] !== hashes[field]);
    if (differing.length > 0)
      this.fail(
        new Error(`${node}: expected the session description that was sent, got another in ${differing.join(", ")}`),
      );
    this.#ready.add(node);
    this.#settle();
  }

  reported(node: string, report: PartyReport): void {
    this.#reports.set(node, report);
    this.#settle();
  }

  /** The session can't go on. The first cause is kept. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.#endpoint.closeSession(this.#session.number, this.#failure);
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }

  async #allRows(step: number, from: number, to: number, owners: readonly [number, number[]][]): Promise<Tensor> {
    const d = this.#width;
    const data = allocate(this.description.wire === "float64" ? "float64" : "float32", (to - from) * d);
    for (const [owner, owned] of owners) {
      const part = await this.#receiveRows(compName(owner), step, owned.length);
      for (const [at, position] of owned.entries())
        data.set(part.data.subarray(at * d, (at + 1) * d), (position - from) * d);
    }
    return { data, shape: [to - from, d] };
  }

  async #receiveRows(peer: string, step: number, rows: number): Promise<Tensor> {
    const { data, shape } = await this.#endpoint.receive(peer, keyOf(this.#session, "hidden", NO_LAYER, step), {
      shape: [rows, this.#width],
      word: "float",
      deadlineMs: this.#deadlineMs,
    });
    return { data: data as FloatArray, shape };
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** How long nodes may take to be ready: they may have the keys and values of a public prefix to compute. */
  get #openDeadlineMs(): number {
    const { publicPrefix, idleDeadlineMs } = this.#session;
    return publicPrefix.length === 0 ? CONTROL_DEADLINE_MS : Math.max(CONTROL_DEADLINE_MS, idleDeadlineMs);
  }

  async #wait(done: () => boolean, what: () => string, deadlineMs = CONTROL_DEADLINE_MS): Promise<void> {
    this.#throwIfFailed();
    if (done()) return;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting = { done, resolve, reject };
        timer = setTimeout(
          () => reject(new Error(`${what()}: expected within ${deadlineMs} ms, got nothing`)),
          deadlineMs,
        );
      });
    } finally {
      clearTimeout(timer);
      this.#waiting = null;
    }
  }

  #settle(): void {
    if (this.#waiting !== null && this.#waiting.done()) this.#waiting.resolve();
  }
}

function missing(all: readonly string[], seen: { has(name: string): boolean }): string {
  return all.filter((name) => !seen.has(name)).join(", ");
}
