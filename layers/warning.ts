/** Tells people of what is doubtful but allowed, on a line of stderr of its own: what a terminal shows there of progress gives way. */
export function warn(text: string): void {
  process.stderr.write(`${process.stderr.isTTY ? "\r\u001b[2K" : ""}warning: ${text}\n`);
}
