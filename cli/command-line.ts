import { Command } from "commander";
import { coloursFor, columnsOf, takesColours } from "./terminal.ts";

/** The command `weir` without its subcommands: how help looks, and that mistakes are thrown, for one place to report. */
export function commandLine(): Command {
  const { bold } = coloursFor(process.stdout);
  process.stdout.on("error", endWithReader);
  return new Command("weir")
    .description(
      "Private language-model inference: a prompt runs through a model that other people's machines compute.",
    )
    .version("0.1.0")
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ styleTitle: bold })
    .configureOutput({
      outputError: () => {}, // reportFailure says it
      getOutHasColors: () => takesColours(process.stdout),
      getErrHasColors: () => takesColours(process.stderr),
      getOutHelpWidth: () => columnsOf(process.stdout),
      getErrHelpWidth: () => columnsOf(process.stderr),
    });
}

/** Who read the output is gone (`weir plan ... | head`): nothing is left to do, and that is no failure to tell of. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}

/** Adds to a command and all its subcommands what each of them takes. */
export function addCommonFlags(command: Command): void {
  command.option("--no-color", "no colours; NO_COLOR and FORCE_COLOR are read too");
  command.commands.forEach(addCommonFlags);
}
