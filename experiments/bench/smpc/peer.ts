/**
 * A layer under SMPC beside CrypTen's, on this machine and in turns: two processes each over loopback sockets, public weights, the clock
 * on the online phase of the slower party, one run before each measured one. CPU seconds are those of the busier party: other work on
 * the machine stretches them least.
 *
 *   CRYPTEN_PYTHON=env/bin/python node --import tsx experiments/bench/smpc/peer.ts [bert-base|smollm2] [turns] [rows]
 *
 * The environment: peers/requirements.txt. Without CRYPTEN_PYTHON it says so and ends.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SmpcBench, type OneRun } from "./bench.ts";
import { interleaved, summary } from "../statistics.ts";
import type { SyntheticShape } from "../synthetic-layer.ts";

const SCRIPT = fileURLToPath(new URL("../peers/crypten_layer.py", import.meta.url));
/** What the script calls the shapes. */
const WORKLOADS: Readonly<Record<SyntheticShape, string>> = { "bert-base": "bert", smollm2: "llama" };

/** The fields of the peer's record that are compared. */
interface CryptenRecord {
  readonly s_min: number;
  /** CPU seconds of the busier party, by run. */
  readonly cpu_s_all: readonly number[];
  readonly online_bytes: number;
  readonly rounds: number;
  readonly max_abs_err: number;
  readonly mean_abs_err: number;
}

const python = process.env.CRYPTEN_PYTHON;
if (python === undefined) {
  console.log("skipped: expected a Python with CrypTen in CRYPTEN_PYTHON, got none");
} else {
  const [shape = "bert-base", turns = "3", rows = "128"] = process.argv.slice(2);
  console.log(JSON.stringify(await compare(python, shape as SyntheticShape, Number(turns), Number(rows))));
}

async function compare(interpreter: string, shape: SyntheticShape, turns: number, rows: number): Promise<object> {
  const options = {
    run: { kind: "synthetic", shape, layers: 1 },
    n: rows,
    parties: 2,
    placement: "smpc",
    precision: "default",
    trade: "standard",
    widths: "trained",
    place: "processes",
    rounds: turns,
    warmups: 1,
  } as const;
  const bench = await SmpcBench.open(options, () => {});
  try {
    const runs: OneRun[] = [];
    const peers: CryptenRecord[] = [];
    const seconds = await interleaved(
      {
        crypten: async () => {
          const record = await crypten(interpreter, WORKLOADS[shape], rows);
          peers.push(record);
          return record.s_min;
        },
        weir: async () => {
          await bench.once();
          const run = await bench.once();
          runs.push(run);
          return Math.max(...run.times.map((each) => each.seconds));
        },
      },
      turns,
      1,
    );
    const { online_bytes: onlineBytes, rounds, max_abs_err: maxAbsError, mean_abs_err: meanAbsError } = peers[0];
    const cpuSeconds = {
      crypten: summary(peers.slice(1).flatMap(({ cpu_s_all }) => cpu_s_all)),
      weir: summary(runs.slice(1).map(({ times }) => Math.max(...times.map((each) => each.cpuSeconds)))),
    };
    return {
      ratio: seconds.crypten.median / seconds.weir.median,
      cpuRatio: cpuSeconds.crypten.median / cpuSeconds.weir.median,
      cpuSeconds,
      ratioOfMinima: seconds.crypten.minimum / seconds.weir.minimum,
      crypten: { seconds: seconds.crypten, onlineBytes, rounds, maxAbsError, meanAbsError },
      weir: { ...bench.record(runs.slice(1)), seconds: seconds.weir },
    };
  } finally {
    await bench.close();
  }
}

/** One run of the peer, after one that isn't timed. */
async function crypten(interpreter: string, workload: string, rows: number): Promise<CryptenRecord> {
  const flags = ["--workload", workload, "--n", String(rows), "--weights", "public", "--gelu", "tanh", "--runs", "1"];
  const { stdout } = await promisify(execFile)(interpreter, ["-W", "ignore", SCRIPT, ...flags], {
    maxBuffer: 1 << 26,
  });
  const [line] = stdout.trim().split("\n").slice(-1);
  return JSON.parse(line) as CryptenRecord;
}
