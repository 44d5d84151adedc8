/**
 * A node: one party that other people's machines run. It takes part in any number of sessions at once, each with its own schedule,
 * caches, ledger and (where the session asks for it) recorded views.
 */
import { hostname } from "node:os";
import type { ModelSpec } from "../../layers/model-spec.ts";
import type { BlockProgram } from "../../layers/program.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import type { Tensor } from "../../layers/tensor.ts";
import { runAttnNode } from "../cascade/attn-node.ts";
import type { CascadeSession, ComputedKind, Witness } from "../cascade/cascade-session.ts";
import { CLIENT, runCompNode } from "../cascade/comp-node.ts";
import type { ControlMessage, Endpoint, MessageKey, WireTensor } from "../wire/endpoint.ts";
import { Ledger } from "./ledger.ts";
import type { PartyReport } from "./party-report.ts";
import type { SessionControl } from "./session-control.ts";
import { cascadeSession, descriptionHashes, type SessionDescription } from "./session-description.ts";
import { ViewRecorder } from "./view-recorder.ts";

/** What a node must know of the model: its shape and its identity. The engine holds the weights, if the party needs any. */
export interface HostedModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly fingerprint: string;
}

interface HostedSession {
  readonly description: SessionDescription;
  readonly cascade: CascadeSession;
  readonly ledger: Ledger;
  readonly views: ViewRecorder | null;
  readonly cpuAtOpen: NodeJS.CpuUsage;
  /** Resolves when the party's part is done or given up; never rejects. */
  readonly run: Promise<void>;
  closing: boolean;
}

export class PartyHost {
  readonly #party: string;
  readonly #model: HostedModel;
  readonly #engine: StageEngine;
  readonly #viewsFolder: string | null;
  readonly #sessions = new Map<number, HostedSession>();
  /** Views of sessions that were given up, being completed. */
  readonly #leftovers = new Set<Promise<void>>();
  #endpoint: Endpoint | null = null;

  /** `viewsFolder` null: sessions that ask for views are refused. */
  constructor(party: string, model: HostedModel, engine: StageEngine, viewsFolder: string | null) {
    this.#party = party;
    this.#model = model;
    this.#engine = engine;
    this.#viewsFolder = viewsFolder;
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
      if (peer !== CLIENT) return;
      for (const session of this.#sessions.keys()) this.#abort(endpoint, session, `client is gone: ${reason.message}`);
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
      if (control.type === "session-abort")
        this.#abort(endpoint, control.session, `${control.party}: ${control.reason}`);
      else if (peer !== CLIENT) throw new Error(`${control.type}: expected from the client only, got it from ${peer}`);
      else if (control.type === "session-open") await this.#open(endpoint, control.session, control.description);
      else if (control.type === "session-close") await this.#close(endpoint, control.session);
    } catch (error) {
      await this.#fail(endpoint, control.session, error);
    }
  }

  async #open(endpoint: Endpoint, session: number, description: SessionDescription): Promise<void> {
    if (this.#sessions.has(session)) throw new Error(`session ${session}: expected a new number, got one that is open`);
    if (description.model !== this.#model.fingerprint)
      throw new Error(
        `model: expected fingerprint ${this.#model.fingerprint} (mine), got ${description.model}; both sides must load the same weights`,
      );
    if (description.views && this.#viewsFolder === null)
      throw new Error(
        "views: expected a node that was started with a views folder, got one without; start it with --views FOLDER",
      );
    const cascade = cascadeSession(session, description, this.#model.spec, this.#model.program);
    endpoint.openSession(session, { word: description.wire });
    const ledger = new Ledger(cascade.schedule, this.#party);
    const views =
      description.views && this.#viewsFolder !== null
        ? new ViewRecorder(this.#viewsFolder, this.#party, cascade)
        : null;
    const witness = witnesses(ledger, views);
    let start = (): void => {};
    const started = new Promise<void>((resolve) => (start = resolve));
    const run = started
      .then(() => this.#run(endpoint, cascade, witness))
      .catch((error: unknown) => (hosted.closing ? undefined : this.#fail(endpoint, session, error)));
    const hosted: HostedSession = {
      description,
      cascade,
      ledger,
      views,
      cpuAtOpen: process.cpuUsage(),
      run,
      closing: false,
    };
    this.#sessions.set(session, hosted);
    start();
    await views?.created();
    await endpoint.sendControl(CLIENT, { type: "session-ready", session, hashes: descriptionHashes(description) });
  }

  #run(endpoint: Endpoint, cascade: CascadeSession, witness: Witness): Promise<void> {
    const [kind, j, k] = this.#party.split(".");
    return kind === "comp"
      ? runCompNode(Number(j), cascade, endpoint, this.#engine, witness)
      : runAttnNode(Number(j), Number(k), cascade, endpoint, this.#engine);
  }

  async #close(endpoint: Endpoint, session: number): Promise<void> {
    const hosted = this.#sessions.get(session);
    if (hosted === undefined) return;
    hosted.closing = true;
    endpoint.closeSession(session, null);
    await hosted.run;
    try {
      await hosted.views?.write();
    } finally {
      this.#sessions.delete(session);
    }
    await endpoint.sendControl(CLIENT, { type: "session-report", session, report: this.#report(endpoint, hosted) });
  }

  #report(endpoint: Endpoint, hosted: HostedSession): PartyReport {
    const cpu = process.cpuUsage(hosted.cpuAtOpen);
    const counters = endpoint.counters.snapshot();
    return {
      party: this.#party,
      pid: process.pid,
      host: hostname(),
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      counters: { ...counters, tensors: counters.tensors.filter(({ session }) => session === hosted.cascade.session) },
      exposure: hosted.ledger.exposure(),
    };
  }

  /** This party can't go on: everyone learns why. A run that ends because its session closed is no failure. */
  async #fail(endpoint: Endpoint, session: number, error: unknown): Promise<void> {
    if (this.#sessions.get(session)?.closing === true) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#abort(endpoint, session, reason);
    try {
      await endpoint.sendControl(CLIENT, { type: "session-abort", session, party: this.#party, reason });
    } catch {
      // The client is gone: there is nobody left to tell, and the session is closed here already.
    }
  }

  #abort(endpoint: Endpoint, session: number, reason: string): void {
    const hosted = this.#sessions.get(session);
    if (hosted === undefined || hosted.closing) return;
    this.#giveUp(hosted);
    endpoint.closeSession(session, new Error(reason));
    this.#sessions.delete(session);
  }

  /** The session's run ends without a failure of its own, and what it recorded so far is kept. */
  #giveUp(hosted: HostedSession): void {
    hosted.closing = true;
    if (hosted.views === null) return;
    const kept: Promise<void> = hosted.run
      .then(() => hosted.views!.write())
      .catch(() => {}) // the session has failed already, and its cause is told
      .finally(() => this.#leftovers.delete(kept));
    this.#leftovers.add(kept);
  }
}

/** Tells both of what a party computes in the clear. */
function witnesses(ledger: Ledger, views: ViewRecorder | null): Witness {
  if (views === null) return ledger;
  return {
    computed(kind: ComputedKind, layer: number, step: number, positions: readonly number[], tensor: Tensor): void {
      ledger.computed(kind, layer, step, positions, tensor);
      views.computed(kind, layer, step, positions, tensor);
    },
  };
}
