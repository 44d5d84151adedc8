import { withSubcommands, type CompletedCommand, type Values } from "./completed-command.ts";

/** A script that completes `weir` in fish. */
export function fishCompletion(program: CompletedCommand): string {
  const lines = withSubcommands(program).flatMap(linesOf);
  return `# fish completion for weir: weir completion fish | source\ncomplete -c weir -f\n${lines.join("\n")}\n`;
}

function linesOf({ path, flags, argument, subcommands }: CompletedCommand): string[] {
  const inner = subcommands.map((command) => command.path.at(-1)!);
  const seen = [
    ...path.map((name) => `__fish_seen_subcommand_from ${name}`),
    ...(inner.length === 0 ? [] : [`not __fish_seen_subcommand_from ${inner.join(" ")}`]),
  ];
  const complete = `complete -c weir -n ${quoted(seen.join("; and "))}`;
  return [
    ...subcommands.map((command) => `${complete} -a ${quoted(command.path.at(-1)!)} -d ${quoted(command.description)}`),
    ...flags.map(
      ({ name, description, value }) =>
        `${complete} -l ${name.replace(/^--/, "")}${value === null ? "" : ` ${offered(value, true)}`} -d ${quoted(description)}`,
    ),
    ...(argument === null || argument.kind === "any" ? [] : [`${complete} ${offered(argument, false)}`]),
  ];
}

/** -x: a value and no files, -r -F: a value that may be a file. */
function offered(value: Values, isOfFlag: boolean): string {
  const required = isOfFlag ? "-x " : "";
  switch (value.kind) {
    case "words":
      return `${required}-a ${quoted(value.words.join(" "))}`;
    case "files":
      return isOfFlag ? "-r -F" : "-F";
    case "folders":
      return `${required}-a '(__fish_complete_directories)'`;
    case "any":
      return "-x";
  }
}

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
