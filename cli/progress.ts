/** What a long command is doing, on one line of stderr; silent where stderr is not a terminal or `quiet` is asked for. */
export function progress(quiet: boolean): { step(this: void, text: string): void; clear(this: void): void } {
  if (quiet || !process.stderr.isTTY) return { step: () => {}, clear: () => {} };
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
