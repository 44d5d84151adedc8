/** The command as its users start it: a process of its own, whose output is no terminal. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const WEIR = fileURLToPath(new URL("../../cli/weir.mjs", import.meta.url));
const TIMEOUT_MS = 120_000;

export interface Finished {
  /** Null where it was killed for taking longer than two minutes. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `weir` with these arguments to its end. */
export function weir(...args: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WEIR, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** What a command said on stderr but for the lines in which a long one tells what it waits for. */
export const withoutProgress = (stderr: string): string => stderr.replaceAll(/^.* \.\.\.\n/gm, "");
