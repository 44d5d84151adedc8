import type { Command, Option } from "commander";

/** What a shell may offer for a value. */
export type Values =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  | { readonly kind: "folders" }
  | { readonly kind: "any" };

export interface CompletedFlag {
  /** With its dashes. */
  readonly name: string;
  readonly description: string;
  /** Null: the flag takes none. */
  readonly value: Values | null;
}

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** Names from the first on: ["bench", "smpc"]; none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly flags: readonly CompletedFlag[];
  /** Of its arguments; null: it takes none. */
  readonly argument: Values | null;
  readonly subcommands: readonly CompletedCommand[];
}

/** What is to be known of a program to complete it: all from its declared commands, flags and arguments. */
export function completedCommand(command: Command, path: readonly string[] = []): CompletedCommand {
  const help = command.createHelp();
  const [argument] = command.registeredArguments;
  return {
    path,
    description: brief(command.description()),
    flags: help.visibleOptions(command).flatMap(flagOf),
    argument:
      argument === undefined ? null : valuesOf(argument.argChoices ?? /file/.exec(argument.name())?.[0] ?? "text"),
    subcommands: help
      .visibleCommands(command)
      .filter((inner) => command.commands.includes(inner))
      .map((inner) => completedCommand(inner, [...path, inner.name()])),
  };
}

function flagOf({ long, flags, description }: Option): CompletedFlag[] {
  if (long === undefined || long === null) return [];
  const placeholder = /<(.*)>/.exec(flags)?.[1];
  const value = placeholder === undefined ? null : valuesOf(placeholder.replace(/,\.\.\.$/, ""));
  return [{ name: long, description: brief(description), value }];
}

/** By the placeholder: `plain|masked` are words, `file` and `path` are files. */
function valuesOf(placeholder: string | readonly string[]): Values {
  if (typeof placeholder !== "string") return { kind: "words", words: placeholder };
  if (placeholder.includes("|")) return { kind: "words", words: placeholder.split("|") };
  if (placeholder === "file" || placeholder === "path") return { kind: "files" };
  return { kind: placeholder === "folder" ? "folders" : "any" };
}

/** What goes before the first stop, for a menu. */
const brief = (text: string): string =>
  text
    .split(/[;:(]|\. /, 1)[0]
    .trim()
    .replace(/\.$/, "");

/** A program and all its commands, from the outside in. */
export const withSubcommands = (command: CompletedCommand): CompletedCommand[] => [
  command,
  ...command.subcommands.flatMap(withSubcommands),
];
