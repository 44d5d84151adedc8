import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { CLIENT, smpcName } from "../../../protocols/cascade/party-name.ts";
import { memoryNetwork } from "../../../protocols/wire/memory-network.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { LocalBenchParty, type BenchParty } from "./bench-party.ts";
import { BENCH_LIMITS, clientEndpoint } from "./endpoints.ts";
import type { ListenOrder, PartyAnswer, PartyCall } from "./party-process.ts";

/** The parties of a bench and the client's end of their network. */
export interface BenchParties {
  readonly client: PartyEndpoint;
  readonly parties: readonly BenchParty[];
  close(): Promise<void>;
}

/** Puts something between two parties: from a party's address to the one at which `dialler` finds it. */
export type Between = (address: string, listener: number, dialler: number) => Promise<string>;

/** Flags of node processes (protocols/fusion/node/node-child.ts): helper threads of the collector would compete with the other parties. */
const FLAGS = ["--single-threaded-gc", "--max-semi-space-size=32", "--min-semi-space-size=32"];
const ENTRY = fileURLToPath(new URL("./party-process.ts", import.meta.url));

/** All parties in this process, over links in memory: for tests. */
export function partiesInMemory(parties: number): BenchParties {
  const names = Array.from({ length: parties }, (_, party) => smpcName(party));
  const endpoints = memoryNetwork([...names, CLIENT], { limits: BENCH_LIMITS });
  return {
    client: endpoints.get(CLIENT)!,
    parties: names.map((name, party) => new LocalBenchParty(party, parties, endpoints.get(name)!)),
    async close() {
      for (const endpoint of endpoints.values()) await endpoint.close();
    },
  };
}

/** Every party in a process of its own, over WebSockets on loopback. Throws Error naming the party that failed; then no process is left. */
export async function partyProcesses(
  parties: number,
  between: Between = (address) => Promise.resolve(address),
): Promise<BenchParties> {
  const children = Array.from({ length: parties }, (_, party) => new RemoteParty(smpcName(party)));
  const client = await clientEndpoint(parties);
  const close = async (): Promise<void> => {
    await client.close();
    await Promise.all(children.map((child) => child.end()));
  };
  try {
    const addresses = await Promise.all(
      children.map((child, party) =>
        child.call<string>("listen", { party, parties, listen: "ws://127.0.0.1:0" } satisfies ListenOrder),
      ),
    );
    const joined = children.map(async (child, dialler) => {
      const dialled: Record<string, string> = {};
      for (let peer = 0; peer < dialler; peer++)
        dialled[smpcName(peer)] = await between(addresses[peer], peer, dialler);
      await child.call("join", dialled);
    });
    const byName = Object.fromEntries(addresses.map((address, party) => [smpcName(party), address]));
    await Promise.all([...joined, client.connect(byName)]);
  } catch (error) {
    await close();
    throw error;
  }
  return { client, parties: children, close };
}

/** A party in a child process. */
class RemoteParty implements BenchParty {
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

  prepare: BenchParty["prepare"] = (task) => this.call("prepare", task);
  open: BenchParty["open"] = (session) => this.call("open", session);
  receive: BenchParty["receive"] = (session) => this.call("receive", session);
  compute: BenchParty["compute"] = (session) => this.call("compute", session);
  handOver: BenchParty["handOver"] = (session) => this.call("handOver", session);
  figures: BenchParty["figures"] = () => this.call("figures");

  /** Ends the process: by closing its channel, and after two seconds by force. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), 2000);
    await this.#exited;
    clearTimeout(force);
  }
}
