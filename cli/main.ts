import type { Command } from "commander";
import { reportFailure } from "./failure.ts";
import { addCommonFlags, commandLine } from "./command-line.ts";

/** What adds each command, loaded when it is needed: most of them load what no other one does. */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  run: () => import("./run.ts").then(({ addRun }) => addRun),
  verify: () => import("./verify.ts").then(({ addVerify }) => addVerify),
  bench: () => import("./bench.ts").then(({ addBench }) => addBench),
  calibrate: () => import("./calibrate.ts").then(({ addCalibrate }) => addCalibrate),
  plan: () => import("./plan.ts").then(({ addPlan }) => addPlan),
  node: () => import("./node.ts").then(({ addNode }) => addNode),
  up: () => import("./up.ts").then(({ addUp }) => addUp),
  topology: () => import("./topology.ts").then(({ addTopology }) => addTopology),
  experiment: () => import("./experiment.ts").then(({ addExperiment }) => addExperiment),
  attack: () => import("./attack.ts").then(({ addAttack }) => addAttack),
  report: () => import("./report.ts").then(({ addReport }) => addReport),
  prove: () => import("./prove.ts").then(({ addProve }) => addProve),
  schema: () => import("./schema.ts").then(({ addSchema }) => addSchema),
  completion: () => import("./completion.ts").then(({ addCompletion }) => addCompletion),
};

/** What describes every command: these, and no command at all with no flags but these. */
const DESCRIBING: ReadonlySet<string> = new Set(["help", "completion"]);
const FOR_HELP: ReadonlySet<string> = new Set(["--help", "-h", "--no-color"]);

/** Is this the name of a command? */
export const isCommand = (name: string): boolean => Object.hasOwn(COMMANDS, name);

/** Runs the command that the process was started for; mistakes and failures are told on stderr and set the exit code. */
export async function main(): Promise<void> {
  const program = commandLine();
  const words = process.argv.slice(2);
  // Flags before the command take no values.
  const name = words.find((word) => !word.startsWith("-"));
  const all = name === undefined ? words.every((word) => FOR_HELP.has(word)) : DESCRIBING.has(name);
  try {
    for (const [command, load] of Object.entries(COMMANDS)) {
      // The others are known by name alone, for what a mistyped one may have meant; their descriptions and flags are help's.
      if (command === name || all) (await load())(program);
      else program.command(command);
    }
    addCommonFlags(program);
    await program.parseAsync();
  } catch (error) {
    reportFailure(error);
  }
}
