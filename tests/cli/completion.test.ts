/** `weir completion`: the scripts complete in the shells themselves; where a shell is not on this machine, its test skips. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, it } from "node:test";
import { Command } from "commander";
import { z } from "zod";
import { bashCompletion } from "../../cli/completion/bash-completion.ts";
import { completedCommand } from "../../cli/completion/completed-command.ts";
import { addFlags } from "../../cli/flags.ts";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir } from "./weir-command.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");

/** What is typed, and all that is offered. */
const CASES: readonly [string, readonly string[]][] = [
  ["weir r", ["report", "run"]],
  ["weir run --merg", ["--merge"]],
  ["weir run --merge ", ["masked", "plain"]],
  ["weir run --smpc-precision d", ["default"]],
  ["weir run --preset hi", ["hidden"]],
  ["weir topology --preset s", ["smpc"]],
  ["weir run --alpha ", []],
  ["weir bench s", ["smpc"]],
  ["weir bench smpc --shape ", ["bert-base", "smollm2"]],
  ["weir bench --only p", ["prefill"]],
  ["weir schema t", ["topology"]],
  ["weir run --config pack", ["package-lock.json", "package.json"]],
  ["weir run --views lay", ["layers"]],
  ["weir attack READ", ["README.md"]],
];

function shell(name: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(name, args, { cwd: CHECKOUT, encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

const missing = (name: string): string | false =>
  spawnSync(name, ["--version"]).error === undefined ? false : `${name} is not on this machine`;

/** What bash offers for lines of whole words, the last of which is being typed. */
function inBash(file: string, lines: readonly string[]): string[][] {
  const calls = lines.map((line) => {
    const words = line.split(" ").map((word) => `'${word}'`);
    return `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _weir 2>/dev/null; echo "\${COMPREPLY[*]}"`;
  });
  const output = shell("bash", ["--norc", "-c", `source ${file}\n${calls.join("\n")}`]);
  return output.split("\n").map((line) =>
    line
      .split(" ")
      .filter((word) => word !== "")
      .sort(),
  );
}

describe("weir completion", async () => {
  const scratch = await scratchFolder();
  const script = async (name: string): Promise<string> => {
    const { code, stdout, stderr } = await weir("completion", name);
    assert.equal(code, 0, stderr);
    return scratch.write(`weir.${name}`, stdout);
  };

  it("completes commands, flags, values, files and folders in bash", async () => {
    const offered = inBash(
      await script("bash"),
      CASES.map(([line]) => line),
    );
    CASES.forEach(([line, expected], at) => assert.deepEqual(offered[at], expected, line));
  });

  it("completes --flag=value in bash, which parts it in three", async () => {
    const offered = inBash(await script("bash"), ["weir run --merge = ma", "weir run --merge ="]);
    assert.deepEqual(offered.slice(0, 2), [["masked"], ["masked", "plain"]]);
  });

  it("completes the same in fish", { skip: missing("fish") }, async () => {
    const file = await script("fish");
    for (const [line, expected] of CASES) {
      const offered = shell("fish", ["--no-config", "-c", `source ${file}; complete -C '${line}'`]).split("\n");
      const words = offered.map((word) => word.split("\t")[0].replace(/\/$/, "")).filter((word) => word !== "");
      assert.deepEqual(words.sort(), expected, line);
    }
  });

  it("is a script that zsh takes, and completes there", { skip: missing("zsh") }, async () => {
    const file = await script("zsh");
    const set = "PROMPT=; stty columns 200; autoload -Uz compinit; compinit -u -D; source";
    // A terminal of its own: type, press tab, and read until both values are there or ten seconds are over.
    const typed = [
      "zmodload zsh/zpty; zpty z zsh -f -i",
      `zpty -w z "${set} ${file}; print rea''dy"`,
      'zpty -r -m z out "*ready*"',
      "zpty -n -w z $'weir run --merge=\\t'",
      "out=; for i in {1..100}; do zpty -r -t z chunk && out+=$chunk; [[ $out == *plain* ]] && break; sleep 0.1; done",
      'print -r -- "$out"; zpty -d z',
    ];
    assert.match(shell("zsh", ["-f", "-c", typed.join("\n")]), /masked[^]*plain/);
  });

  it("completes a new option of the run config without another line", async () => {
    const config = runConfig.extend({ novelty: z.enum(["old", "new"]).default("old").describe("a new option") });
    const program = new Command("weir");
    addFlags(program.command("run"), config);
    const file = await scratch.write("novel.bash", bashCompletion(completedCommand(program)));
    assert.deepEqual(inBash(file, ["weir run --nov", "weir run --novelty "]).slice(0, 2), [
      ["--novelty"],
      ["new", "old"],
    ]);
  });
});
