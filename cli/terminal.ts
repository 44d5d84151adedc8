/** What a stream of this process can show. */
import type { WriteStream } from "node:tty";
import colors from "picocolors";

type Output = NodeJS.WriteStream | WriteStream;

/** Columns of a table that goes to a file or a pipe. */
const COLUMNS = 100;

/** Columns that a line may take: the terminal's, or 100 where there is none. */
export const columnsOf = (stream: Output): number => (stream.isTTY && stream.columns > 0 ? stream.columns : COLUMNS);

/** Does a stream take colours? --no-color, NO_COLOR and FORCE_COLOR decide before the terminal does (no-color.org). */
export function takesColours(stream: Output): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (process.argv.includes("--no-color") || NO_COLOR || FORCE_COLOR === "0" || FORCE_COLOR === "false") return false;
  // A stream that is no terminal has no isTTY at all, and picocolors decides for itself where it is told nothing.
  return Boolean(FORCE_COLOR || (stream.isTTY && stream.hasColors()));
}

/** A text of others (a node's reason, what a model says) without what moves a terminal's cursor or sets its colours: \x1b in place of it. */
export const withoutControls = (text: string): string =>
  Array.from(text, (sign) => (isControl(sign) ? `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}` : sign)).join(
    "",
  );

/** Of ASCII and of Latin-1, but for the ends of lines and tabs. */
function isControl(sign: string): boolean {
  const code = sign.codePointAt(0)!;
  return (code < 0x20 && sign !== "\n" && sign !== "\t") || (code >= 0x7f && code < 0xa0);
}

export type Colours = ReturnType<typeof colors.createColors>;

/** Colours for what is written to a stream; functions that change nothing where it takes none. */
export const coloursFor = (stream: Output): Colours => colors.createColors(takesColours(stream));

/** How a text for a person is laid out. */
export interface Layout {
  /** Most characters of a line. */
  readonly width: number;
  readonly colours: Colours;
}

export const layoutFor = (stream: Output): Layout => ({ width: columnsOf(stream), colours: coloursFor(stream) });
