import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { smpcName } from "../../../protocols/cascade/party-name.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { linkClient } from "../../../protocols/fusion/deployment/local-processes.ts";
import type { HostedModel } from "../../../protocols/fusion/node/party-host.ts";
import type { SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { BENCH_LIMITS } from "./limits.ts";
import { OnlineClock, type TimedParty } from "./online-clock.ts";
import type { ListenOrder, PartyAnswer, PartyCall } from "./party-process.ts";
import type { LayersToRun } from "./workload.ts";

/** The parties of a bench and the client's end of their network. */
export interface BenchParties {
  readonly client: Endpoint;
  readonly parties: readonly TimedParty[];
  close(): Promise<void>;
}

/** Puts something between two parties: from a party's address to the one at which `dialler` finds it. */
export type Between = (address: string, listener: number, dialler: number) => Promise<string>;

/** Flags of node processes (protocols/fusion/node/node-child.ts): helper threads of the collector would compete with the other parties. */
const FLAGS = ["--single-threaded-gc", "--max-semi-space-size=32", "--min-semi-space-size=32"];
const ENTRY = fileURLToPath(new URL("./party-process.ts", import.meta.url));

/** All parties in this process, over links in memory: for tests. */
export async function partiesInMemory(model: HostedModel, parties: number): Promise<BenchParties> {
  const clocks = new Map(Array.from({ length: parties }, (_, party) => [smpcName(party), new OnlineClock()]));
  const shape = { alpha: 0, beta: 0, parties };
  const deployment = await inProcessDeployment(model, null, shape, {
    limits: BENCH_LIMITS,
    phases: (party) => clocks.get(party)!,
  });
  return { client: deployment.client, parties: [...clocks.values()], close: () => deployment.close() };
}

/**
 * Every party in a process of its own, over WebSockets on loopback, ready for sessions of this description. Throws Error naming the party
 * that failed; then no process is left.
 */
export async function partyProcesses(
  run: LayersToRun,
  description: SessionDescription,
  between: Between = (address) => Promise.resolve(address),
): Promise<BenchParties> {
  const { parties } = description.smpc!;
  const children = Array.from({ length: parties }, (_, party) => new RemoteParty(smpcName(party)));
  const end = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
  };
  try {
    const addresses = await Promise.all(
      children.map((child, party) => child.call<string>("listen", { party, run, description } satisfies ListenOrder)),
    );
    await Promise.all(
      children.map(async (child, dialler) => {
        const dialled: Record<string, string> = {};
        for (let peer = 0; peer < dialler; peer++)
          dialled[smpcName(peer)] = await between(addresses[peer], peer, dialler);
        await child.call("join", dialled);
      }),
    );
    const byName = Object.fromEntries(addresses.map((address, party) => [smpcName(party), address]));
    const shape = { alpha: 0, beta: 0, parties, fingerprint: description.model, limits: BENCH_LIMITS };
    const client = await linkClient(shape, byName);
    return {
      client,
      parties: children,
      async close() {
        await client.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A party in a child process. */
class RemoteParty implements TimedParty {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #exited: Promise<void>;
  #ended: Error | null = null;
  #next = 0;

  constructor(name: string) {
    this.#process = fork(ENTRY, [], {
      execArgv: [...FLAGS, "--import", import.meta.resolve("tsx")],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process.on("message", (answer: PartyAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("failure" in answer) waiting?.reject(new Error(`${name}: ${answer.failure}`));
      else waiting?.resolve(answer.value);
    });
    this.#exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        this.#ended ??= new Error(`${name}: expected its process to run, got its end (${how})`);
        for (const { reject } of this.#waiting.values()) reject(this.#ended);
        this.#waiting.clear();
        resolve();
      };
      this.#process.on("exit", (code, signal) => gone(signal ?? `exit code ${code}`));
      this.#process.on("error", (error) => gone(error.message));
    });
  }

  call<T>(call: PartyCall["call"], argument: unknown = null): Promise<T> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send({ id, call, argument } satisfies PartyCall);
    });
  }

  received: TimedParty["received"] = () => this.call("received");
  compute: TimedParty["compute"] = () => this.call("compute");

  /** Ends the process: by closing its channel, and after two seconds by force. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), 2000);
    await this.#exited;
    clearTimeout(force);
  }
}
