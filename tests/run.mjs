/**
 * `npm test [-- FILE-OR-FOLDER ...]`: runs tests/**\/*.test.ts through node:test, prints the seed of all property tests, and at the
 * end what failed and which files took longest. FC_SEED=N repeats a run's random cases.
 */
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { buildImage } from "../protocols/fusion/image/build-image.mjs";
import images from "../protocols/fusion/image/code-image.cjs";

const TESTS = import.meta.dirname;
const CHECKOUT = path.dirname(TESTS);

/** Started first, longest first: a long file that starts last keeps one core busy while the other idles. */
const LONGEST = [
  "layers/malformed-properties.test.ts",
  "protocols/cascade/equivalence.test.ts",
  "layers/onnx-smollm2.test.ts",
  "experiments/golden-grid.test.ts",
  "docs/commands-a-to-m.test.ts",
  "docs/commands-n-to-z.test.ts",
];

function testFiles(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => path.join(folder, name))
    .sort();
}

/** The test files that an argument names. Exits with a message for a name that is no test file or folder of them. */
function chosen(name) {
  const at = path.resolve(name);
  const stat = statSync(at, { throwIfNoEntry: false });
  const files = stat?.isDirectory() ? testFiles(at) : stat?.isFile() && at.endsWith(".test.ts") ? [at] : [];
  if (files.length > 0) return files;
  process.stderr.write(`tests: expected a .test.ts file or a folder with some, got ${name}\n`);
  process.exit(1);
}

const names = process.argv.slice(2);
const files = [...new Set(names.length === 0 ? testFiles(TESTS) : names.flatMap(chosen))];
const rank = (file) => {
  const at = LONGEST.indexOf(path.relative(TESTS, file).replaceAll(path.sep, "/"));
  return at < 0 ? LONGEST.length : at;
};
files.sort((a, b) => rank(a) - rank(b));

const seed = process.env.FC_SEED ?? String(randomInt(2 ** 31 - 1));
process.stdout.write(`${files.length} test files, FC_SEED=${seed}\n`);

// What commands and node processes run is translated before any test's deadline begins.
for (const entry of ["cli/main.ts", "protocols/fusion/node/node-process.ts"])
  if (images.findImage(CHECKOUT, entry) === null) await buildImage(CHECKOUT, entry);

// No test speaks to a public host, and Node takes 30 ms of CPU a process to read this file of certificates.
const { NODE_EXTRA_CA_CERTS: _unused, ...env } = process.env;

// The loaders are flags of this child, because node:test hands its own flags on to the process of each test file; in NODE_OPTIONS
// they would reach the node processes that tests start as well.
const child = spawn(
  process.execPath,
  ["--import", "tsx", "--import", "./tests/fast-check-seed.ts", path.join(TESTS, "run-files.mjs"), ...files],
  { cwd: CHECKOUT, stdio: "inherit", env: { ...env, FC_SEED: seed } },
);
child.on("exit", (code, signal) => {
  if (code !== 0) process.stdout.write(`failed; FC_SEED=${seed} npm test repeats the same random cases\n`);
  process.exitCode = signal === null ? code : 1;
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
