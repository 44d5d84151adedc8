import { withSubcommands, type CompletedCommand, type CompletedFlag, type Values } from "./completed-command.ts";

/** A script that completes `weir` in zsh: sourced, or as a file _weir in fpath. */
export function zshCompletion(program: CompletedCommand): string {
  const functions = withSubcommands(program).map(functionOf).join("\n");
  return `#compdef weir
# zsh completion for weir: eval "$(weir completion zsh)", after compinit
${functions}
if [[ \${funcstack[1]} == _weir ]]; then _weir "$@"; else compdef _weir weir; fi
`;
}

const nameOf = (path: readonly string[]): string => ["_weir", ...path].join("_").replaceAll("-", "_");

function functionOf(command: CompletedCommand): string {
  const { path, flags, argument, subcommands } = command;
  const specs = [...flags.map(flagSpec), ...(argument === null ? [] : [quoted(`*:${argumentSpec(argument)}`)])];
  if (subcommands.length === 0) return `${nameOf(path)}() {\n  _arguments -S ${specs.join(" \\\n    ")}\n}`;
  const described = subcommands.map((inner) => quoted(`${inner.path.at(-1)}:${inner.description}`));
  const calls = subcommands.map((inner) => `      ${inner.path.at(-1)}) ${nameOf(inner.path)} ;;`);
  return `${nameOf(path)}() {
  local state line
  local -a commands=(${described.join(" \\\n    ")})
  _arguments -C -S ${specs.join(" \\\n    ")} \\
    '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands command commands ;;
    rest) case $line[1] in
${calls.join("\n")}
    esac ;;
  esac
}`;
}

function flagSpec({ name, description, value }: CompletedFlag): string {
  const about = `[${description.replaceAll(/[\\\]]/g, "\\$&")}]`;
  return quoted(value === null ? `${name}${about}` : `${name}=${about}:${argumentSpec(value)}`);
}

/** A message, and what is offered. */
function argumentSpec(value: Values): string {
  switch (value.kind) {
    case "words":
      return `value:(${value.words.join(" ")})`;
    case "files":
      return "file:_files";
    case "folders":
      return "folder:_files -/";
    case "any":
      return "value: ";
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
