/** What people see of `weir run`: on a terminal and off one, with and without colours, from every source of a prompt, and when it fails. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { KIND_MEANINGS } from "../../protocols/fusion/record/meanings.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";

const WEIR = fileURLToPath(new URL("../../cli/weir.mjs", import.meta.url));
const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const PROMPT = "The river ran past the mill, and the";
const RUN = ["run", "--alpha", "2", "--max-tokens", "2", "--place", "memory"];
const PLAIN = ["--smpc-layers", "none"];
const GREY = "\u001b[90m";
/** Codes that change colours or weight, without what begins them. */
const styles = (text: string): string[] =>
  text
    .split("\u001b[")
    .slice(1)
    .flatMap((part) => /^[\d;]*m/.exec(part) ?? []);

const NO_SCRIPT =
  spawnSync("script", ["--version"]).error === undefined ? false : "there is no script command to make a terminal";

interface Shown {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Runs the command without a terminal, with this standard input and environment. */
async function piped(args: readonly string[], input = "", env: Readonly<Record<string, string>> = {}): Promise<Shown> {
  const child = spawn(process.execPath, [WEIR, ...args], { env: { ...process.env, ...env }, timeout: 120_000 });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {}); // a command that reads none may be gone
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { stdout, stderr, code };
}

/** What a terminal of `columns` columns gets, both streams, with line breaks of one character. */
function onTerminal(columns: number, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const words = [process.execPath, WEIR, ...args].map((word) => `'${word}'`).join(" ");
  const command = `stty cols ${columns} rows 50; exec ${words}`;
  const { CI: _ci, ...own } = process.env; // a person's terminal: Node grants a CI's fewer colours
  const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
    encoding: "utf8",
    env: { ...own, TERM: "xterm-256color", ...env },
    input: "",
    timeout: 120_000,
  });
  return stdout.replaceAll("\r\n", "\n");
}

const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

describe("weir run", async () => {
  const scratch = await scratchFolder();

  it("takes the prompt as an argument, from a file and from standard input, and gives the same", async () => {
    const file = await scratch.write("prompt.txt", `${PROMPT}\n`);
    const sources: [string[], string][] = [
      [[PROMPT], ""],
      [["--prompt", "-"], `${PROMPT}\n`],
      [["-"], PROMPT],
      [["--prompt-file", file], ""],
      [["--prompt-file", "-"], `${PROMPT}\r\n`],
    ];
    const ids = [];
    for (const [flags, input] of sources) {
      const { stdout, stderr, code } = await piped([...RUN, ...PLAIN, "--json", ...flags], input);
      assert.deepEqual([code, stderr], [0, ""], flags.join(" "));
      ids.push((JSON.parse(stdout) as { promptIds: number[] }).promptIds);
    }
    for (const each of ids) assert.deepEqual(each, ids[0]);
  });

  it("says a prompt of nothing on standard input", async () => {
    const { stderr, code } = await piped([...RUN, "-"], "\n");
    assert.deepEqual([stderr, code], ["weir: prompt: expected some text, got none\n", 1]);
  });

  it("keeps to 100 columns without a terminal, without colours and without the prompt, and explains its words", async () => {
    const { stdout } = await piped([...RUN, PROMPT]);
    assert.ok(widest(stdout) <= 100, String(widest(stdout)));
    assert.ok(!stdout.includes("\u001b"));
    assert.doesNotMatch(stdout, new RegExp(PROMPT));
    for (const word of ["framing", "handover", "deal", "attended", "sums over"])
      assert.match(stdout, new RegExp(`^  ${word} +[a-z]`, "m"));
  });

  it("lists kinds in one order for every party", async () => {
    const { stdout } = await piped([...RUN, ...PLAIN, PROMPT]);
    const order = Object.keys(KIND_MEANINGS);
    const seen = stdout.slice(stdout.indexOf("who saw what"), stdout.indexOf("what each party can conclude"));
    const rows = seen.split("\n").filter((line) => /^ {2}(comp|attn)\./.test(line));
    assert.ok(rows.length >= 3);
    for (const row of rows) {
      const kinds = row.slice(2).split(/ {2,}/)[1].split(";")[0].split(" ");
      assert.deepEqual(
        kinds,
        kinds.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
        row,
      );
    }
  });

  it("is as wide as the terminal, and shows the prompt in grey before the text", { skip: NO_SCRIPT }, () => {
    const shown = onTerminal(70, [...RUN, PROMPT]);
    assert.ok(widest(stripVTControlCharacters(shown).replaceAll(/^.*\r/gm, "")) <= 70, shown);
    assert.ok(shown.includes(`${GREY}${PROMPT}\u001b[39m `), shown.slice(0, 400));
  });

  it(
    "shows no colour where NO_COLOR or --no-color asks for none, and colours with FORCE_COLOR",
    { skip: NO_SCRIPT },
    async () => {
      for (const shown of [
        onTerminal(100, [...RUN, ...PLAIN, PROMPT], { NO_COLOR: "1" }),
        onTerminal(100, [...RUN, ...PLAIN, PROMPT, "--no-color"]),
      ]) {
        assert.deepEqual(styles(shown), []);
        assert.match(shown, new RegExp(PROMPT));
      }
      const forced = await piped([...RUN, ...PLAIN, PROMPT], "", { FORCE_COLOR: "1" });
      assert.ok(forced.stdout.includes("\u001b[33mto hide it from every single party"));
    },
  );

  it("shows no colour in the log of a CI, which is no terminal", async () => {
    const piece = await piped([...RUN, ...PLAIN, PROMPT], "", { CI: "true" });
    assert.deepEqual([...styles(piece.stdout), ...styles(piece.stderr)], []);
  });

  it("ends a text that breaks off with a line of its own before the error", async (t) => {
    const args = ["run", PROMPT, ...PLAIN, "--alpha", "1", "--max-tokens", "400"];
    const child = spawn(process.execPath, [WEIR, ...args], { stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await once(child.stdout, "data");
    const nodes = spawnSync("ps", ["--ppid", String(child.pid), "-o", "pid=,args="], { encoding: "utf8" });
    const pid = /^ *(\d+) weir attn\.0\.0/m.exec(nodes.stdout ?? "")?.[1];
    if (pid === undefined) {
      child.kill();
      t.skip("ps shows no node here");
      return;
    }
    process.kill(Number(pid), "SIGKILL");
    await once(child, "close");
    assert.equal(child.exitCode, 1);
    assert.match(stdout, /\w\n$/);
    assert.match(stderr, /^weir: .*attn\.0\.0.*\n$/m);
  });

  it("says what it waits for in lines where there is no terminal: what lasts, not what passes", async () => {
    const script = `
      import { progress } from ${JSON.stringify(new URL("../../cli/progress.ts", import.meta.url).href)};
      const { step, clear } = progress(false);
      step("passing");
      step("lasting");
      await new Promise((resolve) => setTimeout(resolve, 5000));
      step("next");
      step("passing again");
      clear();`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], { cwd: CHECKOUT });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await once(child, "close");
    assert.equal(stderr, "lasting ...\nnext ...\n");
  });
});
