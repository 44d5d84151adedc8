import { execFileSync } from "node:child_process";

/** The commit that runs, and whether files were changed since; "unknown" outside a git checkout. */
export function codeVersion(): { commit: string; dirty: boolean } {
  const git = (...args: string[]): string =>
    execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    return { commit: git("rev-parse", "--short=12", "HEAD"), dirty: git("status", "--porcelain") !== "" };
  } catch {
    return { commit: "unknown", dirty: true };
  }
}
