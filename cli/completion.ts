import { Argument, type Command } from "commander";
import { didYouMean } from "../protocols/fusion/config/did-you-mean.ts";
import { bashCompletion } from "./completion/bash-completion.ts";
import { completedCommand, type CompletedCommand } from "./completion/completed-command.ts";
import { fishCompletion } from "./completion/fish-completion.ts";
import { zshCompletion } from "./completion/zsh-completion.ts";

const SHELLS: Readonly<Record<string, (program: CompletedCommand) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `weir completion`: a script that a shell reads. */
export function addCompletion(program: Command): void {
  const names = Object.keys(SHELLS);
  const argument = new Argument("<shell>", "which");
  argument.argChoices = names;
  program
    .command("completion")
    .description(
      'Print a script that completes commands, flags and values; in bash and zsh: eval "$(weir completion bash)", in fish: weir completion fish | source.',
    )
    .addArgument(argument)
    .action((shell: string) => {
      const script = SHELLS[shell] as (typeof SHELLS)[string] | undefined;
      if (script === undefined)
        throw new Error(`completion: expected one of ${names.join(", ")}, got ${shell}${didYouMean(shell, names)}`);
      process.stdout.write(script(completedCommand(program)));
    });
}
