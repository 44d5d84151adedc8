import type { Certificates } from "../../wire/websocket-transport.ts";
import { namesOf, type DeploymentShape } from "../deployment/deployment.ts";
import { bundleNodeProcess } from "./node-bundle.ts";
import { NodeChild } from "./node-child.ts";

export interface NodeProcessesOptions extends DeploymentShape {
  /** Folder or .gguf file, absolute. */
  readonly model: string;
  readonly viewsFolder: string | null;
  /** CompNodes open the LM head. */
  readonly head: boolean;
  /** Where a node listens; a free port on loopback when absent. */
  readonly addresses?: Readonly<Record<string, string>>;
  /** For addresses of wss://. */
  readonly certificates?: Certificates;
  readonly insecurePlaintext?: boolean;
}

/** Node processes of this machine. */
export interface NodeProcesses {
  /** Party to the address at which it listens. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly pids: ReadonlyMap<string, number>;
  /** Links the nodes to one another; resolves when they are. */
  join(): Promise<void>;
  /** Rejects when a node ends, with its name and why. */
  failed(): Promise<never>;
  close(): Promise<void>;
}

/** Up to this many AttnNodes each optimize their own code. */
const FEW_ATTN_NODES = 16;

/** Starts every node of a deployment in a process of its own; resolves when all listen. Throws Error naming the node that failed; then none is left. */
export async function startNodeProcesses(options: NodeProcessesOptions): Promise<NodeProcesses> {
  const { alpha, beta, parties, dealer, attnLinks, model, viewsFolder, head } = options;
  const { certificates, insecurePlaintext } = options;
  const entry = await bundleNodeProcess();
  const children = namesOf(options).map((party) => new NodeChild(party, entry, beta ** 2 > FEW_ATTN_NODES));
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
  };
  const addresses: Record<string, string> = {};
  try {
    await Promise.all(
      children.map(async (child) => {
        const listen = options.addresses?.[child.party] ?? "ws://127.0.0.1:0";
        child.order({
          order: "start",
          party: child.party,
          alpha,
          beta,
          parties,
          dealer,
          attnLinks,
          model,
          listen,
          viewsFolder,
          head,
          certificates,
          insecurePlaintext,
        });
        addresses[child.party] = (await child.answer("listening")).address;
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return {
    addresses,
    pids: new Map(children.map((child) => [child.party, child.pid])),
    async join() {
      await Promise.all(
        children.map((child) => {
          child.order({ order: "join", addresses });
          return child.answer("joined");
        }),
      );
    },
    failed: () => Promise.race(children.map((child) => child.failed())),
    close,
  };
}
