import { availableParallelism } from "node:os";
import { partyKind } from "../../cascade/party-name.ts";
import type { Certificates } from "../../wire/websocket-transport.ts";
import { namesOf, type DeploymentShape } from "../deployment/deployment.ts";
import { processImage } from "../image/process-image.ts";
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
  /** Told how many parties stand, after each. */
  readonly report?: (doing: string) => void;
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

/** What a node runs. */
export const NODE_PROCESS = "protocols/fusion/node/node-process.ts";

/** Nodes that load at once, a core. Dozens at once keep one another, and the client, from the cores and their caches. */
const LOADING_A_CORE = 4;

/** Up to this many AttnNodes each optimize their own code. */
const FEW_ATTN_NODES = 16;

/** Starts every node of a deployment in a process of its own; resolves when all listen. Throws Error naming the node that failed; then none is left. */
export async function startNodeProcesses(options: NodeProcessesOptions): Promise<NodeProcesses> {
  const { alpha, beta, parties, dealer, attnLinks, model, viewsFolder, head } = options;
  const { certificates, insecurePlaintext } = options;
  const image = await processImage(NODE_PROCESS, options.report);
  const childOptions = {
    isCrowded: beta ** 2 > FEW_ATTN_NODES,
    isPlain: Object.values(options.addresses ?? {}).every((address) => address.startsWith("ws:")),
  };
  const children: NodeChild[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
  };
  const names = namesOf(options);
  const addresses: Record<string, string> = {};
  const startedAt = performance.now();
  const start = async (party: string): Promise<void> => {
    const isFirst = names.find((name) => partyKind(name) === partyKind(party)) === party;
    const child = new NodeChild(party, image, { isFirst, ...childOptions });
    children.push(child);
    const listen = options.addresses?.[party] ?? "ws://127.0.0.1:0";
    const shape = { alpha, beta, parties, dealer, attnLinks };
    const links = { listen, certificates, insecurePlaintext };
    child.order({ order: "start", party, ...shape, model, ...links, viewsFolder, head });
    addresses[party] = (await child.answer("listening")).address;
    const stand = Object.keys(addresses).length;
    const left = stand < names.length / 8 ? "" : timeLeft((performance.now() - startedAt) / 1000, stand / names.length);
    options.report?.(`starting ${names.length} parties: ${stand} stand${left}`);
  };
  try {
    await inTurns(names, LOADING_A_CORE * availableParallelism(), start);
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

/** Calls `start` for each name, `atOnce` of them at a time; rejects with the first that does, and then starts no more. */
async function inTurns(
  names: readonly string[],
  atOnce: number,
  start: (name: string) => Promise<void>,
): Promise<void> {
  const waiting = [...names];
  const next = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await start(name);
  };
  await Promise.all(
    Array.from({ length: atOnce }, () =>
      next().catch((error: unknown) => {
        waiting.length = 0;
        throw error;
      }),
    ),
  );
}

/** Waits shorter than this need no forecast. */
const LEAST_FORECAST_S = 2;

/** ", about 7 s left" where `share` of something took so many seconds and the rest takes a while; else nothing. */
function timeLeft(seconds: number, share: number): string {
  const left = (seconds * (1 - share)) / share;
  return left < LEAST_FORECAST_S ? "" : `, about ${Math.ceil(left)} s left`;
}
