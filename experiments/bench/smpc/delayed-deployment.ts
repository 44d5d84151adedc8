import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Prompt } from "../../../protocols/fusion/client/encode-prompt.ts";
import { openRun } from "../../../protocols/fusion/client/run-prompt.ts";
import { placementText, type RunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { namesOf, type DeploymentShape } from "../../../protocols/fusion/deployment/deployment.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { processImage } from "../../../protocols/fusion/image/process-image.ts";
import { NodeChild } from "../../../protocols/fusion/node/node-child.ts";
import { NODE_PROCESS } from "../../../protocols/fusion/node/node-processes.ts";
import { delayRelay, type DelayRelay } from "./delay-relay.ts";
import type { TimedGeneration } from "./timed-generation.ts";

const MEGABITS_PER_SECOND = 1000;

/** One way: from the client to the others, and among these. */
export interface Distances {
  readonly clientMs: number;
  readonly serversMs: number;
}

/** Node processes on loopback behind delayed lines, and a prompt for them. */
export class DelayedDeployment {
  readonly #config: RunConfig;
  readonly #prompt: Prompt;
  readonly #close: () => Promise<void>;

  private constructor(config: RunConfig, prompt: Prompt, close: () => Promise<void>) {
    this.#config = config;
    this.#prompt = prompt;
    this.#close = close;
  }

  /** Starts the nodes that the config's placement needs; null: no lines between. Throws Error naming the node that failed; then none is left. */
  static async start(config: RunConfig, prompt: Prompt, distances: Distances | null): Promise<DelayedDeployment> {
    const shape = shapeOf(config);
    const folder = await mkdtemp(path.join(tmpdir(), "weir-network-"));
    const nodes = await startNodes(shape, path.resolve(config.model ?? DEFAULT_MODEL), distances);
    const close = async (): Promise<void> => {
      await nodes.close();
      await rm(folder, { recursive: true });
    };
    const machines = Object.fromEntries([...Object.keys(nodes.addresses), "client"].map((name) => [name, name]));
    const topology = path.join(folder, "topology.json");
    await writeFile(topology, JSON.stringify({ ...shape, nodes: nodes.addresses, machines }));
    return new DelayedDeployment({ ...config, topology }, prompt, close);
  }

  /** One session, from the prompt to its last token. */
  async generate(): Promise<TimedGeneration> {
    const opened = await openRun(this.#config, this.#prompt, () => {});
    try {
      const cpuAtStart = process.cpuUsage();
      const record = await opened.generate({ startedAt: performance.now(), onText: () => {} });
      const { user, system } = process.cpuUsage(cpuAtStart);
      const { firstTokenSeconds, seconds, generatedIds, promptIds, publicPrefixLength, phases, rounds } = record;
      return {
        publicTokens: publicPrefixLength,
        promptTokens: promptIds.length,
        tokens: generatedIds.length,
        firstTokenSeconds,
        secondsPerToken: (seconds - firstTokenSeconds) / Math.max(1, generatedIds.length - 1),
        clientCpuSeconds: (user + system) / 1e6,
        allCpuSeconds: record.cpuSeconds,
        bytes: Object.fromEntries(
          phases.flatMap(({ phase, payloadBytes }) => (payloadBytes === 0 ? [] : [[phase, payloadBytes]])),
        ),
        rounds,
      };
    } finally {
      await opened.close();
    }
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** SMPC parties where a layer is on shares, Cascade nodes where one is not. */
function shapeOf(config: RunConfig): DeploymentShape {
  const placement = placementText(config);
  const [alpha, beta] = [config.alpha, config.alpha];
  if (/^all=cascade$/.test(placement)) return { alpha, beta };
  return /^all=(smpc|delegated)/.test(placement)
    ? { alpha: 0, beta: 0, parties: config.parties }
    : { alpha, beta, parties: config.parties };
}

/** The address of each is the one at which the client finds it. */
async function startNodes(
  shape: DeploymentShape,
  model: string,
  distances: Distances | null,
): Promise<{ readonly addresses: Readonly<Record<string, string>>; close(): Promise<void> }> {
  const image = await processImage(NODE_PROCESS);
  const children = namesOf(shape).map((party) => new NodeChild(party, image));
  const relays: DelayRelay[] = [];
  const behind = async (address: string, delayMs: number | undefined): Promise<string> => {
    if (delayMs === undefined) return address;
    const relay = await delayRelay(address, { delayMs, megabitsPerSecond: MEGABITS_PER_SECOND });
    relays.push(relay);
    return relay.address;
  };
  const [forNodes, forClient]: Record<string, string>[] = [{}, {}];
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
    await Promise.all(relays.map((relay) => relay.close()));
  };
  try {
    for (const child of children) {
      const listen = "ws://127.0.0.1:0";
      child.order({ order: "start", party: child.party, ...shape, model, listen, viewsFolder: null, head: true });
      const { address } = await child.answer("listening");
      forNodes[child.party] = await behind(address, distances?.serversMs);
      forClient[child.party] = await behind(address, distances?.clientMs);
    }
    await Promise.all(
      children.map((child) => {
        child.order({ order: "join", addresses: forNodes });
        return child.answer("joined");
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: forClient, close };
}
