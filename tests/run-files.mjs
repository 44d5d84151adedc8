/** Runs the test files given as arguments, a process each and two at once at most; started by run.mjs. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** A file that takes longer hangs: the slowest one needs less than two minutes. */
const FILE_TIMEOUT_MS = 300_000;
/** Files at once at most: many start a dozen processes themselves, and deadlines of a second are under test. */
const MOST_AT_ONCE = 2;
const SLOWEST_SHOWN = 8;

const startedAt = performance.now();
const secondsOf = new Map();

const events = run({
  files: process.argv.slice(2),
  concurrency: Math.min(MOST_AT_ONCE, availableParallelism()),
  timeout: FILE_TIMEOUT_MS,
});
events.on("test:fail", ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
for (const event of ["test:pass", "test:fail"])
  events.on(event, ({ nesting, file, details }) => {
    if (nesting === 0 && file !== undefined)
      secondsOf.set(file, (secondsOf.get(file) ?? 0) + details.duration_ms / 1000);
  });

const report = events.compose(new spec());
report.on("end", () => {
  const slowest = [...secondsOf].sort(([, a], [, b]) => b - a).slice(0, SLOWEST_SHOWN);
  const lines = slowest.map(([file, seconds]) => `  ${seconds.toFixed(1).padStart(6)} s  ${path.relative(".", file)}`);
  const total = (performance.now() - startedAt) / 1000;
  process.stdout.write(`\nslowest files, of ${total.toFixed(0)} s in all\n${lines.join("\n")}\n`);
});
report.pipe(process.stdout);
