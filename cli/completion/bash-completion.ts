import { withSubcommands, type CompletedCommand, type Values } from "./completed-command.ts";

/** A script that completes `weir` in bash from 3.2 on, without bash-completion. */
export function bashCompletion(program: CompletedCommand): string {
  const commands = withSubcommands(program);
  return `# bash completion for weir: eval "$(weir completion bash)"
_weir() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command="" kind="" words="" at
  # --flag=value comes in three words
  if [[ $cur == "=" ]]; then cur=""
  elif [[ $prev == "=" ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "$command \${COMP_WORDS[at]}" in
${commands
  .filter(({ path }) => path.length > 0)
  .map(
    ({ path }) =>
      `      ${quoted(`${path.slice(0, -1).join(" ")} ${path.at(-1)}`)}) command=${quoted(path.join(" "))} ;;`,
  )
  .join("\n")}
    esac
  done
  case "$command" in
${commands.map(caseOf).join("\n")}
  esac
  local IFS=$'\\n'
  case "$kind" in
    files) COMPREPLY=($(compgen -f -- "$cur")); type compopt &>/dev/null && compopt -o filenames ;;
    folders) COMPREPLY=($(compgen -d -- "$cur")); type compopt &>/dev/null && compopt -o filenames ;;
    any) COMPREPLY=() ;;
    *) IFS=$' \\n'; COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
  esac
}
complete -F _weir weir
`;
}

function caseOf({ path, flags, argument, subcommands }: CompletedCommand): string {
  const byAction = new Map<string, string[]>();
  for (const { name, value } of flags)
    if (value !== null) byAction.set(actionOf(value), [...(byAction.get(actionOf(value)) ?? []), name]);
  const words = [...flags.map(({ name }) => name), ...subcommands.map((inner) => inner.path.at(-1)!)];
  // Arguments are offered where no flag is begun.
  const bare = argument === null || argument.kind === "any" ? "" : `[[ $cur != -* ]] && ${actionOf(argument)}`;
  const more = argument?.kind === "words" ? ` ${argument.words.join(" ")}` : "";
  return [
    `    ${quoted(path.join(" "))})`,
    '      case "$prev" in',
    ...[...byAction].map(([action, names]) => `        ${names.join("|")}) ${action} ;;`),
    `        *) words=${quoted(words.join(" ") + more)}${bare === "" || more !== "" ? "" : `; ${bare}`} ;;`,
    "      esac ;;",
  ].join("\n");
}

const actionOf = (value: Values): string =>
  value.kind === "words" ? `words=${quoted(value.words.join(" "))}` : `kind=${value.kind}`;

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
