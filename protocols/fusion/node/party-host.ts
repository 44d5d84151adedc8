/**
 * A node: one party that other people's machines run. It takes part in any number of sessions at once, each with its own schedule,
 * caches, ledger and (where the session asks for it) recorded views.
 */
import { hostname } from "node:os";
import { prefixKeysAndValues } from "../../../layers/prefix/prefix-keys-and-values.ts";
import type { PublicPrefix } from "../../../layers/prefix/public-prefix.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import type { Tensor } from "../../../layers/tensor.ts";
import { runAttnNode } from "../../cascade/attn-node.ts";
import type { Session, ComputedKind, Witness } from "../../cascade/session.ts";
import { CLIENT, parsePartyName, type PartyId } from "../../cascade/party-name.ts";
import { runCompNode } from "../../cascade/comp-node.ts";
import type { FailedRow } from "../../smpc/run/hand-over.ts";
import type { WeightedModel } from "../../smpc/factors/layer-weights.ts";
import { FileCorrelationStore } from "../../smpc/run/file-correlation-store.ts";
import { MemoryCorrelationStore } from "../../smpc/run/memory-correlation-store.ts";
import { SessionDealer } from "../session/session-dealer.ts";
import { runSmpcParty } from "./smpc-party.ts";
import type { SmpcPhases } from "./smpc-phases.ts";
import { programSetting, SmpcProgram } from "../session/smpc-program.ts";
import type { ControlMessage, Endpoint, MessageKey, WireTensor } from "../../wire/endpoint.ts";
import { Ledger } from "../record/ledger.ts";
import type { PartyReport } from "../record/party-report.ts";
import type { SessionControl } from "../session/session-control.ts";
import { sessionFrom, descriptionHashes, type SessionDescription } from "../session/session-description.ts";
import { ViewRecorder } from "../record/view-recorder.ts";

/** What a node must know of the model: its shape and its identity; weights for SMPC parties, which have no engine. */
export type HostedModel = WeightedModel;

/** What a party keeps on disk, and where (null: nothing), and who times it. */
export interface HostOptions {
  readonly viewsFolder: string | null;
  readonly correlationsFolder: string | null;
  /** Of an SMPC party; absent: nobody. */
  readonly phases?: SmpcPhases;
}

interface HostedSession {
  readonly description: SessionDescription;
  readonly session: Session;
  readonly ledger: Ledger;
  readonly views: ViewRecorder | null;
  readonly failedRows: FailedRow[];
  /** What SMPC parties and the dealer compute; null for others. */
  readonly program: Promise<SmpcProgram> | null;
  dealer: Promise<SessionDealer> | null;
  readonly cpuAtOpen: NodeJS.CpuUsage;
  /** Resolves when the party's part is done or given up; never rejects. */
  readonly run: Promise<void>;
  closing: boolean;
}

/** How long a session waits at its opening for links that a restarted party is making again: longer than a redial takes. */
const LINKS_BACK_MS = 15_000;

export class PartyHost {
  readonly #party: string;
  readonly #id: PartyId;
  readonly #model: HostedModel;
  readonly #engine: StageEngine | null;
  readonly #viewsFolder: string | null;
  readonly #correlationsFolder: string | null;
  readonly #phases: SmpcPhases | null;
  readonly #sessions = new Map<number, HostedSession>();
  /** Views that are being completed; this party's end waits for them. */
  readonly #leftovers = new Set<Promise<void>>();
  #endpoint: Endpoint | null = null;

  /**
   * `engine` null: an SMPC party or a dealer. `viewsFolder` null: sessions that ask for views are refused. `correlationsFolder`: of this
   * party alone, where an SMPC party keeps what it was dealt and remembers what it used, across restarts; null: in memory, by session.
   * Throws PartyNameError.
   */
  constructor(
    party: string,
    model: HostedModel,
    engine: StageEngine | null,
    { viewsFolder, correlationsFolder, phases }: HostOptions,
  ) {
    this.#party = party;
    this.#id = parsePartyName(party);
    this.#model = model;
    this.#engine = engine;
    this.#viewsFolder = viewsFolder;
    this.#correlationsFolder = correlationsFolder;
    this.#phases = phases ?? null;
  }

  /** The transport's observer: hand it to the endpoint of this party. */
  readonly observe = (peer: string, key: MessageKey, tensor: WireTensor): void => {
    const hosted = this.#sessions.get(key.session);
    if (hosted === undefined) return;
    hosted.ledger.received(peer, key);
    hosted.views?.received(peer, key, tensor);
  };

  /** Starts to answer the client's control messages. */
  serve(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
    endpoint.onPeerLost((peer, reason) => {
      for (const session of this.#sessions.keys())
        if (peer === CLIENT) this.#abort(endpoint, session, `client is gone: ${reason.message}`);
        else void this.#fail(endpoint, session, new Error(`${peer} is lost: ${reason.message}`));
    });
    endpoint.onControl((peer, message) => {
      void this.#control(endpoint, peer, message);
    });
  }

  /** Ends every session; their runs stop at once. */
  async close(): Promise<void> {
    for (const [session, hosted] of this.#sessions) {
      if (hosted.closing) continue;
      this.#giveUp(hosted);
      this.#endpoint?.closeSession(session, null);
    }
    await Promise.all([...this.#sessions.values()].map(({ run }) => run));
    await Promise.all(this.#leftovers);
  }

  async #control(endpoint: Endpoint, peer: string, message: ControlMessage): Promise<void> {
    const control = message as SessionControl;
    try {
      if (control.type === "session-abort") this.#abort(endpoint, control.session, `${peer}: ${control.reason}`); // what it calls itself is only its word
      else if (peer !== CLIENT) throw new Error(`${control.type}: expected from the client only, got it from ${peer}`);
      else if (control.type === "session-open") await this.#open(endpoint, control.session, control.description);
      else if (control.type === "session-deal") await this.#deal(endpoint, control.session, control.step);
      else if (control.type === "session-close") await this.#close(endpoint, control.session);
    } catch (error) {
      await this.#fail(endpoint, control.session, error);
    }
  }

  async #open(endpoint: Endpoint, number: number, description: SessionDescription): Promise<void> {
    if (this.#sessions.has(number)) throw new Error(`session ${number}: expected a new number, got one that is open`);
    if (description.model !== this.#model.fingerprint)
      throw new Error(
        `model: expected fingerprint ${this.#model.fingerprint} (mine), got ${description.model}; both sides must load the same weights`,
      );
    if (description.views && this.#viewsFolder === null)
      throw new Error(
        "views: expected a node that was started with a views folder, got one without; start it with --views FOLDER",
      );
    const session = sessionFrom(number, description, this.#model.spec, this.#model.program);
    endpoint.openSession(number, { word: description.wire });
    const ledger = new Ledger(session.schedule, this.#party);
    const views =
      description.views && this.#viewsFolder !== null
        ? new ViewRecorder(this.#viewsFolder, this.#party, session)
        : null;
    const failedRows: FailedRow[] = [];
    const witness = witnesses(ledger, views, failedRows);
    const program = this.#program(session);
    program?.catch(() => {}); // awaited below, and by the run
    const prefix = this.#prefix(session);
    prefix?.catch(() => {}); // likewise
    let start = (): void => {};
    const started = new Promise<void>((resolve) => (start = resolve));
    const run = started
      .then(async () => this.#run(endpoint, session, witness, program, (await prefix) ?? null))
      .catch((error: unknown) => (hosted.closing ? undefined : this.#fail(endpoint, number, error)));
    const hosted: HostedSession = {
      description,
      session,
      ledger,
      views,
      failedRows,
      program,
      dealer: null,
      cpuAtOpen: process.cpuUsage(),
      run,
      closing: false,
    };
    this.#sessions.set(number, hosted);
    start();
    await views?.created();
    await prefix;
    const hashes = { ...descriptionHashes(description), ...(await program)?.hashes() };
    await endpoint.allBack(LINKS_BACK_MS);
    await endpoint.sendControl(CLIENT, { type: "session-ready", session: number, hashes });
  }

  /** What an SMPC party or a dealer computes in a session. */
  #program({ schedule, smpc, output, head, publicPrefix }: Session): Promise<SmpcProgram> | null {
    if (smpc === null || !(this.#id.kind === "smpc" || this.#id.kind === "dealer")) return null;
    return SmpcProgram.open(
      this.#model,
      schedule,
      programSetting({ smpc, output, head, publicPrefix }),
      this.#id.kind === "smpc",
    ).then((program) => {
      program.checkFormats(smpc.formats);
      return program;
    });
  }

  /** The keys and values of the session's public tokens, where this party attends to them in the clear. */
  #prefix({ publicPrefix }: Session): Promise<PublicPrefix> | null {
    if (this.#id.kind !== "attn" || publicPrefix.length === 0) return null;
    return prefixKeysAndValues(this.#model, publicPrefix, { word: this.#engine!.word });
  }

  /** Deals up to a step; the first call gives the parties their seeds. */
  async #deal(endpoint: Endpoint, number: number, step: number): Promise<void> {
    const hosted = this.#sessions.get(number);
    if (hosted === undefined || hosted.closing) return;
    if (this.#id.kind !== "dealer" || hosted.program === null || hosted.session.schedule.dealer !== "dealer")
      throw new Error(`session-deal: expected at the dealer of a session that has one, got it at ${this.#party}`);
    const { session, program } = hosted;
    hosted.dealer ??= program.then(async (made) => {
      const dealer = new SessionDealer(session, made, endpoint);
      await dealer.start();
      return dealer;
    });
    await (await hosted.dealer).dealTo(step);
  }

  async #run(
    endpoint: Endpoint,
    session: Session,
    witness: Witness,
    program: Promise<SmpcProgram> | null,
    prefix: PublicPrefix | null,
  ): Promise<void> {
    const id = this.#id;
    if (id.kind === "smpc") {
      if (program === null || id.party >= session.schedule.parties) return;
      const folder = this.#correlationsFolder;
      const store = folder === null ? new MemoryCorrelationStore() : new FileCorrelationStore(folder);
      const made = await program;
      const phases = this.#phases;
      await runSmpcParty({ party: id.party, session, program: made, endpoint, store, witness, phases });
    } else if (id.kind === "comp") await runCompNode(id.i, session, endpoint, this.#engine!, witness);
    else if (id.kind === "attn") await runAttnNode(id.j, id.k, session, endpoint, this.#engine!, prefix);
    // A dealer follows the client's orders.
  }

  async #close(endpoint: Endpoint, number: number): Promise<void> {
    const hosted = this.#sessions.get(number);
    if (hosted === undefined) return;
    const dealer = await hosted.dealer;
    await dealer?.dealTo(0); // what was ordered is sent, so that it is counted
    hosted.closing = true;
    endpoint.closeSession(number, null);
    await hosted.run;
    try {
      await this.#completed(hosted);
    } finally {
      this.#sessions.delete(number);
    }
    await endpoint.sendControl(CLIENT, {
      type: "session-report",
      session: number,
      report: this.#report(endpoint, hosted, dealer),
    });
  }

  #report(endpoint: Endpoint, hosted: HostedSession, dealer: SessionDealer | null): PartyReport {
    const cpu = process.cpuUsage(hosted.cpuAtOpen);
    const counters = endpoint.counters.snapshot();
    return {
      party: this.#party,
      pid: process.pid,
      host: hostname(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      counters: { ...counters, tensors: counters.tensors.filter(({ session }) => session === hosted.session.number) },
      exposure: hosted.ledger.exposure(),
      failedRows: hosted.failedRows,
      dealerSeconds: dealer?.seconds ?? 0,
    };
  }

  /** This party can't go on: everyone learns why. A run that ends because its session closed is no failure. */
  async #fail(endpoint: Endpoint, number: number, error: unknown): Promise<void> {
    if (this.#sessions.get(number)?.closing === true) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#abort(endpoint, number, reason);
    try {
      await endpoint.sendControl(CLIENT, { type: "session-abort", session: number, party: this.#party, reason });
    } catch {
      // The client is gone: there is nobody left to tell, and the session is closed here already.
    }
  }

  #abort(endpoint: Endpoint, number: number, reason: string): void {
    const hosted = this.#sessions.get(number);
    if (hosted === undefined || hosted.closing) return;
    this.#giveUp(hosted);
    endpoint.closeSession(number, new Error(reason));
    this.#sessions.delete(number);
  }

  /** The session's run ends without a failure of its own, and what it recorded so far is kept. */
  #giveUp(hosted: HostedSession): void {
    hosted.closing = true;
    this.#completed(hosted).catch(() => {}); // the session has failed already, and its cause is told
  }

  /** Resolves when the session's run has ended and its views are whole, or rejects with why they can't be; then none are left. */
  #completed({ run, views }: HostedSession): Promise<void> {
    const written = run.then(() => views?.write());
    const settled: Promise<void> = written.catch(() => {}).finally(() => this.#leftovers.delete(settled));
    this.#leftovers.add(settled);
    return written;
  }
}

/** Tells both of what a party computes in the clear, and collects the rows that failed. */
function witnesses(ledger: Ledger, views: ViewRecorder | null, failedRows: FailedRow[]): Witness {
  return {
    computed(
      kind: ComputedKind,
      layer: number,
      step: number,
      positions: readonly number[],
      tensor: Tensor | WireTensor,
    ): void {
      ledger.computed(kind, layer, step, positions, tensor);
      views?.computed(kind, layer, step, positions, tensor);
    },
    failed(position: number, site: string): void {
      failedRows.push({ position, site });
    },
  };
}
