/**
 * How long people wait for weir: medians beside the machine's load, a JSON line a measure.
 *
 *   npx tsx experiments/bench/start-up.ts [RUNS]
 *
 * `--version` and a mistyped command: to the end of the process. `npm start`: to the first piece of text. Parties: from nothing until all
 * stand and are linked, each a process (22 are those of `npm start`). CPU seconds are of all processes to their end.
 */
import { spawn } from "node:child_process";
import { loadavg } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "../../layers/model.ts";
import { namesOf, type DeploymentShape } from "../../protocols/fusion/deployment/deployment.ts";
import { startLocalProcesses } from "../../protocols/fusion/deployment/local-processes.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import { median } from "./statistics.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const SHAPES: readonly DeploymentShape[] = [
  { alpha: 4, beta: 4, parties: 2 },
  { alpha: 8, beta: 8 },
];

interface Run {
  /** To the first output, and to the end. */
  readonly firstSeconds: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly output: string;
}

/** Runs a command in the checkout under a shell that says what it and all its processes took. */
async function run(command: readonly string[]): Promise<Run> {
  const startedAt = performance.now();
  const since = (): number => (performance.now() - startedAt) / 1000;
  const child = spawn("bash", ["-c", '"$@"; times >&3', "bash", ...command], {
    cwd: CHECKOUT,
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  let [firstSeconds, output, times] = [0, "", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    if (output === "") firstSeconds = since();
    output += text;
  });
  child.stdio[3]!.on("data", (text: Buffer) => (times += String(text)));
  await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  // Two lines, of the shell and of what it started: user and system time.
  const all = [...times.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, rest]) => 60 * Number(minutes) + Number(rest));
  return { firstSeconds, seconds: since(), cpuSeconds: all.slice(2).reduce((a, b) => a + b, 0), output };
}

async function stand(shape: DeploymentShape): Promise<void> {
  const model = await openModel(DEFAULT_MODEL);
  const startedAt = performance.now();
  const parties = { ...shape, model: DEFAULT_MODEL, fingerprint: model.fingerprint, viewsFolder: null, head: false };
  const processes = await startLocalProcesses(parties);
  process.stdout.write(String((performance.now() - startedAt) / 1000));
  await processes.close();
  await model.close();
}

async function measure(
  what: string,
  runs: number,
  command: readonly string[],
  secondsOf: (run: Run) => number,
): Promise<void> {
  const taken: Run[] = [];
  for (let i = 0; i < runs; i++) taken.push(await run(command));
  const seconds = taken.map(secondsOf);
  const line = {
    what,
    runs,
    seconds: median(seconds),
    from: Math.min(...seconds),
    to: Math.max(...seconds),
    cpuSeconds: median(taken.map(({ cpuSeconds }) => cpuSeconds)),
    load: loadavg()[0],
  };
  process.stdout.write(
    `${JSON.stringify(line, (_, value: unknown) => (typeof value === "number" ? Number(value.toFixed(3)) : value))}\n`,
  );
}

const [first = "5", at] = process.argv.slice(2);
if (first === "stand") await stand(SHAPES[Number(at)]);
else {
  const runs = Number(first);
  if (!(Number.isInteger(runs) && runs > 0)) throw new Error(`runs: expected a whole number from 1, got ${first}`);
  const weir = [process.execPath, "cli/weir.mjs"];
  const itself = [process.execPath, "--import", "tsx", fileURLToPath(import.meta.url), "stand"];
  await measure("weir --version", runs, [...weir, "--version"], ({ seconds }) => seconds);
  await measure("weir rnu", runs, [...weir, "rnu"], ({ seconds }) => seconds);
  await measure("npm start, first text", runs, ["npm", "start", "--silent"], ({ firstSeconds }) => firstSeconds);
  for (const [index, shape] of SHAPES.entries())
    await measure(`${namesOf(shape).length} parties`, runs, [...itself, String(index)], ({ output }) => Number(output));
}
