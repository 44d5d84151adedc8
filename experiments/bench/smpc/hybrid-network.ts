/**
 * Placements behind delayed lines: time to the first token and for each one after, of whole sessions of one model, in turn.
 *
 *   node --import tsx experiments/bench/smpc/hybrid-network.ts --placements "first:1=smpc/all=cascade" --client 0,1,20 --servers same
 *
 * --placements takes what `weir run --placement` takes, several divided by "/", and "plain": the model in one session of this process, which
 * no line delays. --client: round trips in ms between the client and the others; --servers: among these (same: as the client's). Every
 * link goes through a line of 1 Gbit/s (delay-relay.ts), but with --client direct, where no relay is. --model, --prompt, --chat, --precision
 * as in `weir run`; --tokens and --runs of each. Prints a JSON line a round trip and placement.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { runConfig } from "../../../protocols/fusion/config/run-config.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { median } from "../statistics.ts";
import { DelayedDeployment, type Distances } from "./delayed-deployment.ts";
import { PlainSpeed } from "./plain-speed.ts";
import type { TimedGeneration } from "./timed-generation.ts";

const SHARDS = 2;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: DEFAULT_MODEL },
    prompt: { type: "string", default: "My fellow citizens, the state of the" },
    chat: { type: "boolean", default: false },
    placements: { type: "string", default: "first:1=smpc/all=cascade" },
    precision: { type: "string", default: "fine" },
    client: { type: "string", default: "0,1,20" },
    servers: { type: "string", default: "same" },
    alpha: { type: "string", default: String(SHARDS) },
    tokens: { type: "string", default: "16" },
    runs: { type: "string", default: "3" },
  },
});

const [runs, alpha] = [Number(values.runs), Number(values.alpha)];
const prompt = { text: values.prompt, chat: values.chat };
for (const client of values.client.split(",")) {
  const distances = client === "direct" ? null : distancesOf(Number(client));
  const things = new Map<string, { generate(): Promise<TimedGeneration>; close(): Promise<void> }>();
  try {
    for (const placement of values.placements.split("/")) {
      const given = placement === "plain" ? {} : { placement, smpcPrecision: values.precision };
      const config = runConfig.parse({ model: values.model, alpha, maxTokens: Number(values.tokens), ...given });
      const thing =
        placement === "plain"
          ? await PlainSpeed.open(config, prompt)
          : await DelayedDeployment.start(config, prompt, distances);
      things.set(placement, thing);
    }
    const taken = new Map([...things.keys()].map((placement) => [placement, [] as TimedGeneration[]]));
    for (let run = -1; run < runs; run++)
      for (const [placement, thing] of things) {
        const generation = await thing.generate();
        if (run >= 0) taken.get(placement)!.push(generation);
      }
    for (const [placement, generations] of taken) print(client, placement, generations);
  } finally {
    for (const thing of things.values()) await thing.close();
  }
}

function distancesOf(client: number): Distances {
  return { clientMs: client / 2, serversMs: (values.servers === "same" ? client : Number(values.servers)) / 2 };
}

/** Medians over some sessions. */
function print(client: string, placement: string, generations: readonly TimedGeneration[]): void {
  const of = (figure: (generation: TimedGeneration) => number): number =>
    Number(median(generations.map(figure)).toPrecision(4));
  const { publicTokens, promptTokens, tokens, bytes, rounds } = generations[0];
  const line = {
    model: values.model === DEFAULT_MODEL ? "default" : values.model.split("/").at(-1),
    placement,
    ...(placement === "plain"
      ? {}
      : {
          clientRoundTripMs: client === "direct" ? client : Number(client),
          serversRoundTripMs: client === "direct" ? client : 2 * distancesOf(Number(client)).serversMs,
        }),
    publicTokens,
    promptTokens,
    tokens,
    firstTokenSeconds: of(({ firstTokenSeconds }) => firstTokenSeconds),
    secondsPerToken: of(({ secondsPerToken }) => secondsPerToken),
    clientCpuSeconds: of(({ clientCpuSeconds }) => clientCpuSeconds),
    allCpuSeconds: of(({ allCpuSeconds }) => allCpuSeconds),
    residentBytes: process.memoryUsage().rss,
    bytes,
    rounds,
    runs: generations.length,
    loadAverage: loadavg()[0],
  };
  console.log(JSON.stringify(line));
}
