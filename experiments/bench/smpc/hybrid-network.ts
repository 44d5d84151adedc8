/**
 * The model that comes with weir over delayed lines: time to the first token and for each one after, layer 0 under SMPC beside all in
 * Cascade; what SMPC adds is the difference.
 *
 *   node --import tsx experiments/bench/smpc/hybrid-network.ts [tokens] [runs]
 *
 * Every link of every party goes through a line of 1 Gbit/s (delay-relay.ts), 0, 0.5 and 10 ms long each way.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { namesOf, type DeploymentShape } from "../../../protocols/fusion/deployment/deployment.ts";
import { processImage } from "../../../protocols/fusion/image/process-image.ts";
import { NODE_PROCESS } from "../../../protocols/fusion/node/node-processes.ts";
import { NodeChild } from "../../../protocols/fusion/node/node-child.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { runConfig } from "../../../protocols/fusion/config/run-config.ts";
import { openRun } from "../../../protocols/fusion/client/run-prompt.ts";
import type { RunRecord } from "../../../protocols/fusion/record/run-record.ts";
import { delayRelay, type DelayRelay } from "./delay-relay.ts";
import { median } from "../statistics.ts";

const DELAYS_MS = [0, 0.5, 10];
const MEGABITS_PER_SECOND = 1000;
const SHARDS = 2;
const PARTIES = 2;
const PROMPT = "My fellow citizens, the state of the";

const [tokens = "16", runs = "3"] = process.argv.slice(2);
for (const delayMs of DELAYS_MS) {
  const hybrid = await measure("first:1", delayMs);
  const cascade = await measure("none", delayMs);
  const roundTripMs = 2 * delayMs;
  console.log(JSON.stringify({ roundTripMs, hybrid, cascade }));
}

interface Times {
  readonly promptTokens: number;
  readonly firstTokenSeconds: number;
  readonly secondsPerToken: number;
  /** Longest chain of messages. */
  readonly rounds: number;
  readonly smpcRounds: number;
  /** Payload of all parties by phase. */
  readonly bytes: Readonly<Record<string, number>>;
}

/** Medians over some sessions of one deployment, after one that isn't counted. */
async function measure(smpcLayers: string, delayMs: number): Promise<Times> {
  const shape = { alpha: SHARDS, beta: SHARDS, parties: smpcLayers === "none" ? 0 : PARTIES };
  const folder = await mkdtemp(path.join(tmpdir(), "weir-network-"));
  const nodes = await delayedNodes(shape, delayMs);
  try {
    const machines = Object.fromEntries([...Object.keys(nodes.addresses), "client"].map((name) => [name, name]));
    const topology = path.join(folder, "topology.json");
    await writeFile(topology, JSON.stringify({ ...shape, nodes: nodes.addresses, machines }));
    const config = runConfig.parse({ topology, alpha: SHARDS, smpcLayers, maxTokens: Number(tokens) });
    const records: RunRecord[] = [];
    for (let run = -1; run < Number(runs); run++) {
      const opened = await openRun(config, { text: PROMPT, chat: false }, () => {});
      try {
        const record = await opened.generate({ startedAt: performance.now(), onText: () => {} });
        if (run >= 0) records.push(record);
      } finally {
        await opened.close();
      }
    }
    const { promptIds, rounds, smpc, phases } = records[0];
    return {
      promptTokens: promptIds.length,
      firstTokenSeconds: median(records.map(({ firstTokenSeconds }) => firstTokenSeconds)),
      secondsPerToken: median(
        records.map(
          ({ seconds, firstTokenSeconds, generatedIds }) => (seconds - firstTokenSeconds) / (generatedIds.length - 1),
        ),
      ),
      rounds,
      smpcRounds: smpc?.rounds ?? 0,
      bytes: Object.fromEntries(phases.map(({ phase, payloadBytes }) => [phase, payloadBytes])),
    };
  } finally {
    await nodes.close();
    await rm(folder, { recursive: true });
  }
}

/** Node processes on loopback, each behind a line of its own. */
async function delayedNodes(
  shape: DeploymentShape,
  delayMs: number,
): Promise<{ readonly addresses: Readonly<Record<string, string>>; close(): Promise<void> }> {
  const image = await processImage(NODE_PROCESS);
  const children = namesOf(shape).map((party) => new NodeChild(party, image));
  const relays: DelayRelay[] = [];
  const addresses: Record<string, string> = {};
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
    await Promise.all(relays.map((relay) => relay.close()));
  };
  try {
    for (const child of children) {
      child.order({
        order: "start",
        party: child.party,
        ...shape,
        model: DEFAULT_MODEL,
        listen: "ws://127.0.0.1:0",
        viewsFolder: null,
        head: true,
      });
      const { address } = await child.answer("listening");
      const relay = await delayRelay(address, { delayMs, megabitsPerSecond: MEGABITS_PER_SECOND });
      relays.push(relay);
      addresses[child.party] = relay.address;
    }
    await Promise.all(
      children.map((child) => {
        child.order({ order: "join", addresses });
        return child.answer("joined");
      }),
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses, close };
}
