/** Runs the test files given as arguments, a process each and two at once at most; started by run.mjs. */
import { availableParallelism } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** A file in which no test ends for so long hangs. There is no limit on a whole file: of many tests on a busy machine each may be slow. */
const SILENCE_MS = 300_000;
/** Files at once at most: many start a dozen processes themselves, and deadlines of a second are under test. */
const MOST_AT_ONCE = 2;
const SLOWEST_SHOWN = 8;
/** What node:test says at the end of each file, and here at the end of all. */
const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo) (\d+)$/;

const startedAt = performance.now();
const secondsOf = new Map();
const counts = new Map();
const events = new PassThrough({ objectMode: true });

async function runFile(file) {
  const fileStartedAt = performance.now();
  const hung = new AbortController();
  const wait = () =>
    setTimeout(() => {
      process.stdout.write(`${file}: expected a test to end within ${SILENCE_MS / 1000} s, got none; it is stopped\n`);
      hung.abort();
    }, SILENCE_MS);
  let silence = wait();
  for await (const event of run({ files: [file], signal: hung.signal })) {
    clearTimeout(silence);
    silence = wait();
    const { todo, nesting, message } = event.data;
    if (event.type === "test:fail" && (todo === undefined || todo === false)) process.exitCode = 1;
    const [, what, count] = (event.type === "test:diagnostic" && nesting === 0 && COUNT.exec(message)) || [];
    if (what !== undefined) counts.set(what, (counts.get(what) ?? 0) + Number(count));
    else if (!(nesting === 0 && (event.type === "test:plan" || message?.startsWith("duration_ms"))))
      events.write(event);
  }
  clearTimeout(silence);
  secondsOf.set(file, (performance.now() - fileStartedAt) / 1000);
}

async function runAll(files) {
  const waiting = [...files];
  const next = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await runFile(file);
  };
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, availableParallelism()) }, next));
  for (const [what, count] of counts)
    events.write({ type: "test:diagnostic", data: { nesting: 0, message: `${what} ${count}` } });
  events.end();
}

const report = events.compose(new spec());
report.on("end", () => {
  const slowest = [...secondsOf].sort(([, a], [, b]) => b - a).slice(0, SLOWEST_SHOWN);
  const lines = slowest.map(([file, seconds]) => `  ${seconds.toFixed(1).padStart(6)} s  ${path.relative(".", file)}`);
  const total = (performance.now() - startedAt) / 1000;
  process.stdout.write(`\nslowest files, of ${total.toFixed(0)} s in all\n${lines.join("\n")}\n`);
});
report.pipe(process.stdout);
await runAll(process.argv.slice(2));
