/**
 * Does a test fail of each change that destroys secrecy (mutations.ts)? In copies of the tree: each change alone, and all together.
 *
 *   npm run mutations
 *
 * Exits with 1 where a test that must fail doesn't, fails without a change, or isn't run.
 */
import { availableParallelism } from "node:os";
import type { Edit, Mutation } from "./mutations.ts";
import { MUTATIONS } from "./mutations.ts";
import { MutatedTree, type TestResult } from "./mutated-tree.ts";

const MOST_AT_ONCE = 2;

const startedAt = performance.now();
const faults: string[] = [];
const trees = Array.from({ length: Math.min(MOST_AT_ONCE, availableParallelism()) }, () => new MutatedTree());
try {
  await unchanged();
  // Where a test fails anyway, its failure says nothing of a change.
  if (faults.length === 0) {
    await atOnce(MUTATIONS, alone);
    await together();
  }
} finally {
  for (const tree of trees) tree.remove();
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
process.stdout.write(`${MUTATIONS.length} changes, alone and together, in ${seconds} s: ${faults.length} faults\n`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Every named test passes where nothing is changed. */
async function unchanged(): Promise<void> {
  await atOnce(namesByFile(MUTATIONS), async ([file, names], tree) => {
    for (const [name, result] of await tree.run(file, names)) check(`unchanged: ${file}, ${name}`, "passed", result);
  });
}

async function alone({ name, edits, test }: Mutation, tree: MutatedTree): Promise<void> {
  const results = await tree.with(edits, () => tree.run(test.file, [test.name]));
  check(`${name}: ${test.file}, ${test.name}`, "failed", results.get(test.name)!);
}

/** All that can be made at once: where two change one text, the first. */
async function together(): Promise<void> {
  const taken = new Set<string>();
  const edits: Edit[] = [];
  const made = MUTATIONS.filter((mutation) => {
    const places = mutation.edits.map(({ file, text }) => `${file} ${text}`);
    if (places.some((place) => taken.has(place))) return false;
    for (const place of places) taken.add(place);
    edits.push(...mutation.edits);
    return true;
  });
  const [tree] = trees;
  await tree.with(edits, async () => {
    for (const [file, names] of namesByFile(made))
      for (const [name, result] of await tree.run(file, names))
        check(`${made.length} together: ${file}, ${name}`, "failed", result);
  });
}

function check(what: string, expected: TestResult["outcome"], { outcome, reason, output }: TestResult): void {
  const isRight = outcome === expected;
  process.stdout.write(`${isRight ? "right" : "FAULT"}: ${what}: ${outcome}${reason === "" ? "" : `, ${reason}`}\n`);
  if (isRight) return;
  faults.push(what);
  process.stdout.write(`${output.split("\n").slice(-60).join("\n")}\n`);
}

function namesByFile(mutations: readonly Mutation[]): [file: string, names: string[]][] {
  const byFile = new Map<string, Set<string>>();
  for (const { test } of mutations) byFile.set(test.file, (byFile.get(test.file) ?? new Set()).add(test.name));
  return [...byFile].map(([file, names]) => [file, [...names]]);
}

/** Does the work with as many trees as there are, in order. */
async function atOnce<T>(items: readonly T[], work: (item: T, tree: MutatedTree) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    trees.map(async (tree) => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, tree);
    }),
  );
}
