/** One process for each node, on this machine. */
import { fork, type ChildProcess } from "node:child_process";
import { CLIENT } from "../cascade/comp-node.ts";
import { createEndpoint } from "../wire/party-endpoint.ts";
import { WebSocketTransport } from "../wire/websocket-transport.ts";
import type { WireLimits } from "../wire/limits.ts";
import { nodeNames, type Deployment } from "./deployment.ts";
import { bundleNodeProcess } from "./node-bundle.ts";
import type { NodeAnswer, NodeOrder } from "./node-process.ts";
import { SESSION_CONTROL } from "./session-control.ts";
import { deploymentDescription } from "./topology.ts";

export interface LocalProcessesOptions {
  readonly alpha: number;
  readonly beta: number;
  /** Folder or .gguf file, absolute. */
  readonly model: string;
  readonly fingerprint: string;
  readonly viewsFolder: string | null;
  /** CompNodes open the LM head. */
  readonly head: boolean;
  readonly limits?: Partial<WireLimits>;
}

export interface LocalProcesses extends Deployment {
  /** Process id of each node. */
  readonly pids: ReadonlyMap<string, number>;
}

/** Starts the nodes and links all parties. Throws Error naming the node that failed and why; then nothing stays behind. */
export async function startLocalProcesses(options: LocalProcessesOptions): Promise<LocalProcesses> {
  const { alpha, beta, model, viewsFolder, head } = options;
  const entry = await bundleNodeProcess();
  const nodes = nodeNames(alpha, beta);
  const children = new Map(nodes.map((party) => [party, new NodeChild(party, entry)]));
  const end = async (): Promise<void> => {
    await Promise.all([...children.values()].map((child) => child.end()));
  };
  try {
    const addresses: Record<string, string> = {};
    await Promise.all(
      [...children.values()].map(async (child) => {
        child.order({ order: "start", party: child.party, alpha, beta, model, viewsFolder, head });
        addresses[child.party] = (await child.answer("listening")).address;
      }),
    );
    const client = await createEndpoint({
      party: CLIENT,
      transport: new WebSocketTransport(),
      peers: Object.fromEntries(nodes.map((name) => [name, "dial" as const])),
      model: options.fingerprint,
      description: deploymentDescription(alpha, beta),
      controls: SESSION_CONTROL,
      limits: options.limits,
    });
    const joined = [...children.values()].map((child) => {
      child.order({ order: "join", addresses });
      return child.answer("joined");
    });
    await Promise.all([client.connect(addresses), ...joined]);
    return {
      client,
      nodes,
      pids: new Map([...children].map(([party, child]) => [party, child.pid])),
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

/** One child process and the answers that it owes. */
class NodeChild {
  readonly party: string;
  readonly #process: ChildProcess;
  readonly #answers: NodeAnswer[] = [];
  readonly #exited: Promise<void>;
  #wake: () => void = () => {};
  #failure: Error | null = null;

  constructor(party: string, entry: string) {
    this.party = party;
    // No inherited loader flags: the bundle is plain JavaScript. WEIR_NODE_FLAGS serves profilers.
    this.#process = fork(entry, [], {
      execArgv: process.env.WEIR_NODE_FLAGS?.split(" ") ?? [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process.on("message", (answer: NodeAnswer) => {
      if (answer.answer === "failed") this.#failure ??= new Error(`${party}: ${answer.reason}`);
      else this.#answers.push(answer);
      this.#wake();
    });
    this.#exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        this.#failure ??= new Error(`${party}: expected its process to run, got its end (${how})`);
        this.#wake();
        resolve();
      };
      this.#process.on("exit", (code, signal) => gone(signal ?? `exit code ${code}`));
      this.#process.on("error", (error) => gone(error.message));
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  order(order: NodeOrder): void {
    if (this.#process.connected) this.#process.send(order);
  }

  /** The next answer, which must be of this kind. */
  async answer<Kind extends NodeAnswer["answer"]>(kind: Kind): Promise<Extract<NodeAnswer, { answer: Kind }>> {
    for (;;) {
      const answer = this.#answers.shift();
      if (answer !== undefined) {
        if (answer.answer !== kind) throw new Error(`${this.party}: expected the answer ${kind}, got ${answer.answer}`);
        return answer as Extract<NodeAnswer, { answer: Kind }>;
      }
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Ends the process: by closing its channel, and after two seconds by force. */
  async end(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), 2000);
    await this.#exited;
    clearTimeout(force);
  }
}
