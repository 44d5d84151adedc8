/** Commands are loaded when they are asked for; help knows all of them. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { weir } from "./weir-command.ts";

const CLI = path.resolve(import.meta.dirname, "../../cli");

/** What the files of cli add to the program itself. */
const COMMANDS = readdirSync(CLI)
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) => [...readFileSync(path.join(CLI, name), "utf8").matchAll(/\bprogram\s*\.command\("([a-z-]+)"\)/g)])
  .map(([, name]) => name);

describe("weir", () => {
  it("says its version", async () => {
    assert.deepEqual(await weir("--version"), { code: 0, stdout: "0.1.0\n", stderr: "" });
  });

  it("takes a flag before the command", async () => {
    const { code, stdout, stderr } = await weir("--no-color", "schema", "run");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(await weir("schema", "run"), { code, stdout, stderr });
  });

  it("lists every command with a description", async () => {
    assert.ok(COMMANDS.length >= 12, COMMANDS.join());
    for (const args of [["--help"], ["help"], ["-h"]]) {
      const { code, stdout } = await weir(...args);
      assert.equal(code, 0);
      for (const name of COMMANDS)
        assert.match(
          stdout,
          new RegExp(`^  ${name} (\\[options\\] ?)?([<[].*[>\\]])? +[A-Z]`, "m"),
          `${args.join()}: ${name}`,
        );
    }
  });

  for (const name of COMMANDS)
    it(`knows the flags of ${name}`, async () => {
      const { code, stdout, stderr } = await weir(name, "--help");
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, new RegExp(`^Usage: weir ${name} `));
      assert.match(stdout, /--help/);
    });
});
