/** Flags follow from zod types: help, placeholder, kind, bounds, default, error, and the key in a config file. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { z } from "zod";
import { addConfigFlags } from "../../cli/config-flags.ts";
import { addFlags, flagName, readFlags } from "../../cli/flags.ts";
import { pathText } from "../../protocols/fusion/config/path-text.ts";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";

const TYPES = z.object({
  merge: z.enum(["plain", "masked"]).default("plain").describe("how"),
  maxTokens: z.int().min(1).max(100).default(48).describe("most"),
  topP: z.number().gt(0).max(1).optional().describe("mass"),
  seed: z.int().min(0).optional().describe("seed"),
  waitMs: z.int().meta({ title: "ms" }).optional().describe("wait"),
  parties: z
    .union([z.literal(0), z.int().min(2).max(8)])
    .optional()
    .describe("how many"),
  topology: pathText("file").optional().describe("nodes"),
  name: z.string().optional().describe("a name"),
  chat: z.boolean().default(false).describe("talk"),
  echo: z.boolean().default(true).describe("no echo"),
  layers: z.array(z.int().min(0)).optional().describe("which"),
  parts: z
    .array(z.enum(["a", "b"]))
    .default(["a", "b"])
    .describe("some"),
  r: z
    .discriminatedUnion("rule", [z.strictObject({ rule: z.literal("all") })])
    .optional()
    .describe("a rule"),
});

/** Flags and their help, as `--help` of a wide terminal prints them. */
function helpOf(command: Command): Map<string, string> {
  command.configureHelp({ helpWidth: 10_000 });
  const lines = command.helpInformation().split("Options:\n")[1].split("\n");
  return new Map(
    lines.flatMap((line) => {
      const parts = /^ {2}(--.*?) {2,}(.*)$/.exec(line);
      return parts === null ? [] : [[parts[1], parts[2]] as const];
    }),
  );
}

/** What a command line gives. */
function read(...args: readonly string[]): z.infer<typeof TYPES> {
  const command = addFlags(new Command(), TYPES);
  command.parse([...args], { from: "user" });
  return readFlags(TYPES, command.opts());
}

describe("flags", () => {
  it("show values, bounds and defaults of their types", () => {
    assert.deepEqual(Object.fromEntries(helpOf(addFlags(new Command(), TYPES))), {
      "--merge <plain|masked>": "how (default: plain)",
      "--max-tokens <n>": "most (1 to 100; default: 48)",
      "--top-p <x>": "mass (above 0, to 1)",
      "--seed <n>": "seed (from 0)",
      "--wait-ms <ms>": "wait",
      "--parties <n>": "how many (0 or 2 to 8)",
      "--topology <file>": "nodes",
      "--name <text>": "a name",
      "--chat": "talk",
      "--no-echo": "no echo",
      "--layers <n,...>": "which (from 0)",
      "--parts <a|b,...>": "some (default: a,b)",
      "--r <json>": "a rule",
    });
  });

  it("are read as their types say", () => {
    assert.deepEqual(read(), { merge: "plain", maxTokens: 48, chat: false, echo: true, parts: ["a", "b"] });
    const given = ["--merge", "masked", "--max-tokens", "7", "--top-p", ".5", "--parties", "0", "--name", "7"];
    const more = ["--chat", "--no-echo", "--layers", "1,2", "--parts", "b", "--r", '{"rule":"all"}'];
    assert.deepEqual(read(...given, ...more), {
      merge: "masked",
      maxTokens: 7,
      topP: 0.5,
      parties: 0,
      name: "7",
      chat: true,
      echo: false,
      layers: [1, 2],
      parts: ["b"],
      r: { rule: "all" },
    });
  });

  for (const [args, said] of [
    [["--merge", "plan"], '--merge: expected one of plain, masked, got "plan"; did you mean plain?'],
    [["--max-tokens", "0x10"], '--max-tokens: expected a number, got "0x10"'],
    [["--max-tokens", ""], '--max-tokens: expected a number, got ""'],
    [["--max-tokens", "1.5"], "--max-tokens: expected an integer, got 1.5"],
    [["--max-tokens", "101"], "--max-tokens: expected at most 100, got 101"],
    [["--top-p", "0"], "--top-p: expected more than 0, got 0"],
    [["--layers", "1,x"], '--layers: expected a number, got "x"'],
    [["--parts", "a,c"], '--parts: expected one of a, b, got "c"'],
    [["--r", "all"], "--r: expected JSON, got all"],
  ] as const)
    it(`are named as they are typed: ${args.join(" ")}`, () => {
      assert.throws(() => read(...args), { message: said });
    });

  it("of a run are the keys of its config, each with a line of help", () => {
    const help = helpOf(addConfigFlags(new Command()));
    const names = [...help.keys()].map((flags) => flags.split(" ")[0]);
    assert.deepEqual(names, [...Object.keys(runConfig.shape).map(flagName), "--config"]);
    for (const [flags, line] of help) assert.notEqual(line, "", flags);
    assert.equal(
      [...help.keys()].find((flags) => flags.startsWith("--merge")),
      "--merge <plain|masked>",
    );
  });
});
