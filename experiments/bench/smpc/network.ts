/**
 * The online phase behind delayed lines between the parties: a layer's time on a local network and across a continent.
 *
 *   node --import tsx experiments/bench/smpc/network.ts [bert-base|smollm2] [runs] [rows]
 *
 * Each ordered pair of parties has a line of 1 Gbit/s (delay-relay.ts), 0, 0.5 and 10 ms long each way.
 */
import { benchSmpc } from "./bench.ts";
import { delayRelay, type DelayRelay } from "./delay-relay.ts";
import type { SyntheticShape } from "../synthetic-layer.ts";

const DELAYS_MS = [0, 0.5, 10];
const MEGABITS_PER_SECOND = 1000;

const [shape = "bert-base", runs = "3", rows = "128"] = process.argv.slice(2);
for (const delayMs of DELAYS_MS) {
  const relays: DelayRelay[] = [];
  const record = await benchSmpc(
    {
      run: { kind: "synthetic", shape: shape as SyntheticShape, layers: 1 },
      n: Number(rows),
      parties: 2,
      placement: "smpc",
      precision: "default",
      trade: "standard",
      widths: "trained",
      place: "processes",
      rounds: Number(runs),
      warmups: 2,
      between: async (address) => {
        const relay = await delayRelay(address, { delayMs, megabitsPerSecond: MEGABITS_PER_SECOND });
        relays.push(relay);
        return relay.address;
      },
    },
    () => {},
  );
  await Promise.all(relays.map((relay) => relay.close()));
  const { seconds, secondsOfRuns, rounds, onlineBytes } = record;
  const roundTripMs = 2 * delayMs;
  console.log(JSON.stringify({ roundTripMs, seconds, secondsOfRuns, rounds, onlineBytes }));
}
