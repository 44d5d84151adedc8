import process from "node:process";
import { CommanderError } from "commander";
import type { ErrorRecord } from "./error-record.ts";
import { coloursFor, withoutControls } from "./terminal.ts";

/**
 * Ends the command with exit code 1 and a message on stderr that says what was expected, and with --json the same as an object on stdout;
 * a stack trace only with WEIR_TRACE set. What commander throws after --help and --version is no failure.
 */
export function reportFailure(error: unknown): void {
  if (error instanceof CommanderError && SAID.has(error.code)) {
    process.exitCode = error.exitCode;
    return;
  }
  const { message, name, code } = described(error);
  const { red, bold } = coloursFor(process.stderr);
  process.stderr.write(`${bold(red("weir:"))} ${withoutControls(message)}\n`);
  if (error instanceof CommanderError)
    process.stderr.write("(weir --help lists the commands, weir COMMAND --help its flags)\n");
  if (process.env.WEIR_TRACE !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (process.argv.includes("--json")) {
    const record: ErrorRecord = { error: { message, name, code } };
    process.stdout.write(`${JSON.stringify(record)}\n`);
  }
  process.exitCode = 1;
}

/** Codes of commander whose text is written already. */
const SAID: ReadonlySet<string> = new Set(["commander.help", "commander.helpDisplayed", "commander.version"]);

function described(error: unknown): ErrorRecord["error"] {
  if (!(error instanceof Error)) return { message: String(error), name: "Error", code: null };
  const { name, message } = error;
  if (!(error instanceof CommanderError)) return { message, name, code: codeOf(error) ?? codeOf(error.cause) };
  const { code } = error;
  const near = /\n\(Did you mean (.*)\?\)$/.exec(message)?.[1];
  const text = message.replace(/^error: /, "").replace(/\n\(Did you mean .*$/, "");
  const advice = code === "commander.excessArguments" ? " Put a text of several words in quotes." : "";
  return { message: `${text}${near === undefined ? "" : `; did you mean ${near}?`}${advice}`, name, code };
}

function codeOf(error: unknown): string | null {
  const code: unknown = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" ? code : null;
}
