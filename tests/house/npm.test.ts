/** npm as it reads this folder: no warning on every command, and no package's script at an install (one would fetch libraries). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { it } from "node:test";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");

function npm(...args: readonly string[]): { stdout: string; stderr: string } {
  // Settings of the npm that runs the tests would hide those of the folder.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const { stdout, stderr } = spawnSync("npm", args, { cwd: CHECKOUT, encoding: "utf8", timeout: 60_000, env });
  return { stdout: stdout.trim(), stderr };
}

it("npm knows every setting of .npmrc, and runs no package's install script", () => {
  assert.deepEqual(npm("config", "get", "ignore-scripts"), { stdout: "true", stderr: "" });
});
