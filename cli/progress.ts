import { columnsOf } from "./terminal.ts";

/** What a long command is doing, for who waits. */
export interface Progress {
  step(this: void, text: string): void;
  /** Before anything else is written. */
  clear(this: void): void;
}

/** Off a terminal a wait is told of when it has taken so long, and then again each time: logs of quick commands stay empty. */
const LINE_MS = 2000;

/** On a terminal one line of stderr that changes; elsewhere a line every two seconds; nothing where `quiet` is asked for. */
export function progress(quiet: boolean): Progress {
  if (quiet) return { step: () => {}, clear: () => {} };
  return process.stderr.isTTY ? changingLine() : lines();
}

function changingLine(): Progress {
  let shown = false;
  const wipe = "\r\u001b[2K";
  return {
    step(text) {
      shown = true;
      // A line that wraps could not be wiped.
      process.stderr.write(`${wipe}${`${text} ...`.slice(0, columnsOf(process.stderr) - 1)}`);
    },
    clear() {
      if (shown) process.stderr.write(wipe);
      shown = false;
    },
  };
}

function lines(): Progress {
  let doing = "";
  let timer: NodeJS.Timeout | null = null;
  return {
    step(text) {
      doing = text;
      timer ??= setInterval(() => process.stderr.write(`${doing} ...\n`), LINE_MS).unref();
    },
    clear() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };
}
