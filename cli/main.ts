import { Command } from "commander";
import { reportFailure } from "./failure.ts";

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
  attack: () => import("./attack.ts").then(({ addAttack }) => addAttack),
  report: () => import("./report.ts").then(({ addReport }) => addReport),
  prove: () => import("./prove.ts").then(({ addProve }) => addProve),
  schema: () => import("./schema.ts").then(({ addSchema }) => addSchema),
};

/** Is this the name of a command? */
export const isCommand = (name: string): boolean => Object.hasOwn(COMMANDS, name);

/** Runs the command that the process was started for; mistakes and failures are told on stderr and set the exit code. */
export async function main(): Promise<void> {
  const program = new Command("weir")
    .description(
      "Private language-model inference: a prompt runs through a model that other people's machines compute.",
    )
    .version("0.1.0")
    .showHelpAfterError("(weir --help lists the commands)")
    .enablePositionalOptions();
  const [name] = process.argv.slice(2);
  try {
    for (const [command, load] of Object.entries(COMMANDS)) {
      // The others are known by name alone, for what a mistyped one may have meant; their descriptions and flags are help's.
      if (command === name || isHelp(name)) (await load())(program);
      else program.command(command);
    }
    await program.parseAsync();
  } catch (error) {
    reportFailure(error);
  }
}

const isHelp = (name: string | undefined): boolean =>
  name === undefined || name === "help" || name === "--help" || name === "-h";
