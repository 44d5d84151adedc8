import process from "node:process";

/** Ends the command with exit code 1 and a message that says what was expected; a stack trace only with WEIR_TRACE set. */
export function reportFailure(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`weir: ${message}\n`);
  if (process.env.WEIR_TRACE !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
