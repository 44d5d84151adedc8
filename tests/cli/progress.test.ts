/** What a long wait says on stderr where that is no terminal: lines, the latest step alone, nothing of short waits. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");

/** Two steps at once, then a wait of so long, then the end. */
const waiting = (ms: number, quiet: boolean): string => `
  import { progress } from "./cli/progress.ts";
  const { step, clear } = progress(${quiet});
  step("the first step");
  step("starting 22 parties: 9 stand");
  setTimeout(clear, ${ms});
`;

async function stderrOf(program: string): Promise<string> {
  const args = ["--import", "tsx", "--input-type=module", "-e", program];
  return (await promisify(execFile)(process.execPath, args, { cwd: CHECKOUT })).stderr;
}

it("tells of a wait of more than two seconds, but of no short one, and not where quiet is asked for", async () => {
  const runs = [waiting(3000, false), waiting(1, false), waiting(3000, true)].map(stderrOf);
  const [long, short, quiet] = await Promise.all(runs);
  assert.match(long, /^(starting 22 parties: 9 stand \.\.\.\n)+$/);
  assert.deepEqual([short, quiet], ["", ""]);
});
