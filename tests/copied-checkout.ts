import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const CHECKOUT = path.resolve(import.meta.dirname, "..");

/**
 * Copies what git tracks, or would, to a new folder for temporary files whose name begins with `prefix`, and returns it. Packages, and files
 * that `linked` matches, are those of the checkout: what tests write there is written here.
 */
export function copiedCheckout(prefix: string, linked: RegExp | null = null): string {
  const folder = mkdtempSync(path.join(tmpdir(), prefix));
  const listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  for (const file of execFileSync("git", listed, { cwd: CHECKOUT, encoding: "utf8" }).split("\0")) {
    const from = path.join(CHECKOUT, file);
    if (file === "" || !existsSync(from)) continue;
    const to = path.join(folder, file);
    mkdirSync(path.dirname(to), { recursive: true });
    if (linked?.test(file)) symlinkSync(from, to);
    else copyFileSync(from, to);
  }
  symlinkSync(path.join(CHECKOUT, "node_modules"), path.join(folder, "node_modules"));
  return folder;
}
