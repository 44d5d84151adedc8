/** Off a terminal a wait is told of when it has taken so long, and then again each time. */
const LINE_MS = 4000;

export interface Progress {
  /** What the command is doing from now on. */
  step(this: void, text: string): void;
  /** It does nothing that needs telling, until the next step. */
  clear(this: void): void;
}

/**
 * What a long command is doing, on stderr: on a terminal on one line that is written anew, else as a line every few seconds. Silent
 * where `quiet` is asked for.
 */
export function progress(quiet: boolean): Progress {
  if (quiet) return { step: () => {}, clear: () => {} };
  return process.stderr.isTTY ? oneLine() : lines();
}

function oneLine(): Progress {
  let shown = false;
  const wipe = "\r\u001b[2K";
  return {
    step(text) {
      shown = true;
      process.stderr.write(`${wipe}${text} ...`);
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
