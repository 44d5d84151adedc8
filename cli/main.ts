import { Command } from "commander";
import { addRun } from "./run.ts";
import { reportFailure } from "./failure.ts";

const program = new Command("weir")
  .description("Private language-model inference: a prompt runs through a model that other people's machines compute.")
  .version("0.1.0")
  .showHelpAfterError("(weir --help lists the commands)")
  .enablePositionalOptions();

addRun(program);

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error);
}
