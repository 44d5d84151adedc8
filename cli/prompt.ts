/** The prompt of `weir run`: an argument, a flag, a file, or standard input. */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { fileError } from "../layers/file-error.ts";

/** Beyond any context; a wrong file is refused before it is read whole. */
const MOST_BYTES = 16 * 2 ** 20;

/** Where a prompt may be given; each at most once, one in all. */
export interface PromptSources {
  /** An argument of the command. */
  readonly argument?: string;
  /** --prompt: the text, or - for standard input. */
  readonly prompt?: string;
  /** --prompt-file: a file, or - for standard input. */
  readonly promptFile?: string;
}

/**
 * The prompt's text. The line break that ends a file or a pipe is no part of it. Throws Error where there is none, more than one, nothing
 * in it, or what is no text.
 */
export async function readPrompt(sources: PromptSources): Promise<string> {
  const { argument, prompt, promptFile } = sources;
  const given = [
    ...(argument === undefined ? [] : [{ name: "the argument", value: argument }]),
    ...(prompt === undefined ? [] : [{ name: "--prompt", value: prompt }]),
    ...(promptFile === undefined ? [] : [{ name: "--prompt-file", value: promptFile }]),
  ];
  const names = given.map(({ name }) => name).join(" and ") || "none";
  if (given.length !== 1)
    throw new Error(
      `prompt: expected one, as an argument, --prompt TEXT, --prompt-file FILE or - for standard input, got ${names}`,
    );
  const [{ name, value }] = given;
  const text =
    value === "-"
      ? await textOf(standardInput(), "standard input")
      : name === "--prompt-file"
        ? await textOf(createReadStream(value), `${name} ${value}`)
        : value;
  if (text === "") throw new Error(`${name === "the argument" ? "prompt" : name}: expected some text, got none`);
  return text;
}

function standardInput(): Readable {
  if (process.stdin.isTTY) process.stderr.write("type the prompt, and end it with Ctrl-D\n");
  return process.stdin;
}

async function textOf(stream: Readable, what: string): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes > MOST_BYTES) break;
    }
  } catch (error) {
    throw fileError(what, "a readable file", error);
  }
  if (bytes > MOST_BYTES) throw new Error(`${what}: expected at most ${MOST_BYTES} bytes of prompt, got more`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Buffer.concat(parts))
      .replace(/\r?\n$/, "");
  } catch (error) {
    throw new Error(`${what}: expected text in UTF-8, got other bytes`, { cause: error });
  }
}
