import { columnsOf } from "./terminal.ts";

/** What a long command is doing, for who waits. */
export interface Progress {
  step(this: void, text: string): void;
  /** Before anything else is written. */
  clear(this: void): void;
}

/** Where there is no terminal, only steps that take this long get a line: logs of quick commands stay empty, those of long ones short. */
const LINE_MS = 2000;
/** A step that goes on is told of again. */
const AGAIN_MS = 5000;

/** On a terminal one line of stderr that changes; elsewhere lines, at most one every two seconds; nothing where `quiet` is asked for. */
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
  let lastAt = performance.now();
  let waiting: NodeJS.Timeout | undefined;
  const write = (): void => {
    lastAt = performance.now();
    process.stderr.write(`${doing} ...\n`);
    waiting = setTimeout(write, AGAIN_MS).unref();
  };
  return {
    step(text) {
      doing = text;
      clearTimeout(waiting);
      const left = lastAt + LINE_MS - performance.now();
      if (left <= 0) write();
      else waiting = setTimeout(write, left).unref();
    },
    clear() {
      clearTimeout(waiting);
    },
  };
}
