/** What people get wrong at the command line: exit code 1, a few lines on stderr that say it, nothing on stdout, no stack trace. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import { errorRecord } from "../../cli/error-record.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir, withoutProgress } from "./weir-command.ts";

const BERT = path.resolve(import.meta.dirname, "../fixtures/models/bert");
const PROMPT = ["run", "--prompt", "The river"];

describe("weir", async () => {
  const scratch = await scratchFolder();
  const absent = path.join(scratch.path, "absent");
  const wrong = await scratch.write("wrong.json", '{"alpha": 2, "temperature": "warm"}');
  const slip = await scratch.write("slip.json", '{"tempreature": 1}');
  const split = await scratch.write("split.json", '{"m": 2}');
  const bytes = await scratch.write("bytes", Uint8Array.of(0x66, 0xff, 0x66));
  const onePair = await scratch.write(
    "pair.json",
    JSON.stringify({ alpha: 1, beta: 1, nodes: { "comp.0": "ws://127.0.0.1:9", "attn.0.0": "ws://127.0.0.1:10" } }),
  );

  /** name, arguments, the first line of stderr */
  const mistakes: readonly [string, readonly string[], RegExp][] = [
    ["an unknown subcommand", ["walk"], /unknown command 'walk'/],
    ["a subcommand with a slip", ["rnu"], /^weir: unknown command 'rnu'; did you mean run\?$/],
    ["an unknown flag", [...PROMPT, "--gamma", "3"], /^weir: unknown option '--gamma'$/],
    ["a flag with a slip", [...PROMPT, "--tempreature", "3"], /'--tempreature'; did you mean --temperature\?$/],
    ["a flag without its value", ["run", "x", "--alpha"], /^weir: option '--alpha <n>' argument missing$/],
    [
      "a prompt without quotes",
      ["run", "It", "was"],
      /^weir: too many arguments .* got 2\. Put a text .* in quotes\.$/,
    ],
    ["no prompt", ["run"], /^weir: prompt: expected one, as an argument, --prompt TEXT, .* or - .*, got none$/],
    ["two prompts", [...PROMPT, "It was"], /^weir: prompt: expected one, .*, got the argument and --prompt$/],
    ["an empty prompt", ["run", "--prompt", ""], /^weir: --prompt: expected some text, got none$/],
    ["an empty argument", ["run", ""], /^weir: prompt: expected some text, got none$/],
    [
      "no prompt file there",
      ["run", "--prompt-file", absent],
      /^weir: --prompt-file .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "a prompt file that is no text",
      ["run", "--prompt-file", bytes],
      /^weir: --prompt-file .*bytes: expected text in UTF-8, got other bytes$/,
    ],
    ["a word for a number", [...PROMPT, "--alpha", "many"], /^weir: --alpha: expected a number, got "many"$/],
    ["a number too small", [...PROMPT, "--alpha", "0"], /^weir: --alpha: expected at least 1, got 0$/],
    ["a number with a long name", [...PROMPT, "--max-tokens", "0"], /^weir: --max-tokens: expected at least 1, got 0$/],
    ["a negative number", [...PROMPT, "--temperature", "-1"], /^weir: --temperature: expected at least 0, got -1$/],
    [
      "a value with a slip",
      [...PROMPT, "--merge", "maskd"],
      /^weir: --merge: expected one of plain, masked, got "maskd"; did you mean masked\?$/,
    ],
    ["a value that is no slip", [...PROMPT, "--wire", "copper"], /^weir: --wire: expected one of .*, got "copper"$/],
    ["half a JSON value", [...PROMPT, "--r", '{"rule"'], /^weir: --r: expected JSON, got \{"rule"$/],
    [
      "flags that exclude one another",
      [...PROMPT, "--beta", "2", "--m", "2"],
      /^weir: --beta and --m: expected one of them/,
    ],
    [
      "a flag that excludes a key of the config",
      [...PROMPT, "--beta", "2", "--config", split],
      /^weir: --beta and m \(.*split\.json\): expected one of them/,
    ],
    [
      "no model there",
      [...PROMPT, "--model", absent],
      /absent: model: expected a folder with config\.json, or a \.gguf file, got nothing there$/,
    ],
    [
      "a number that names no model",
      [...PROMPT, "--model", "2026"],
      /2026: model: expected a folder .*, got nothing there$/,
    ],
    ["an encoder", [...PROMPT, "--model", BERT], /^weir: model bert: expected a decoder, got an encoder/],
    [
      "a prompt beyond the context, before any node is needed",
      // Nobody listens where the topology says: dialling first would give another error, half a minute later.
      ["run", "--prompt", "river ".repeat(600), "--topology", onePair, "--alpha", "1"],
      /^weir: prompt and --max-tokens: expected at most 512 positions \(the context of default\), got \d+ \+ 48 tokens$/,
    ],
    [
      "no config there",
      [...PROMPT, "--config", absent],
      /^weir: config .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "a config with a wrong value",
      [...PROMPT, "--config", wrong],
      /^weir: config .*wrong\.json: temperature: expected a number, got "warm"$/,
    ],
    [
      "a config with a slip",
      [...PROMPT, "--config", slip],
      /slip\.json: content: expected known keys only, got "tempreature"; did you mean temperature\?$/,
    ],
    [
      "no topology there",
      [...PROMPT, "--topology", absent],
      /^weir: topology .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "a topology of another shape",
      [...PROMPT, "--topology", onePair, "--alpha", "4"],
      /^weir: --alpha: expected 1 \(.*pair\.json\), got 4/,
    ],
    [
      "no text to calibrate on there",
      ["calibrate", "--text", absent],
      /^weir: calibration text .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "no text to bench there",
      ["bench", "smpc", "--model", DEFAULT_MODEL, "--layer", "0", "--text", absent],
      /^weir: text .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "no records there",
      ["report", absent, "--out", path.join(scratch.path, "page.html")],
      /^weir: records .*absent: expected a readable file, got ENOENT$/,
    ],
    ["no golden file there", ["verify", "--golden", absent], /^weir: .*absent: expected a file, got none there/],
    [
      "an unknown schema",
      ["schema", "promt"],
      /^weir: schema: expected one of run, .*, got promt; did you mean prove\?$/,
    ],
    [
      "flags of a plan that exclude one another",
      ["plan", "--n", "8", "--simulate", "--machines", "3"],
      /^weir: --simulate and --machines: expected one of them, got both$/,
    ],
    ["no size of a plan", ["plan"], /^weir: --n: expected a number, got none$/],
    [
      "a part of the bench that there isn't",
      ["bench", "--only", "lunch"],
      /^weir: --only: expected one of prefill, .*, got "lunch"$/,
    ],
    [
      "a party that the topology lacks",
      ["node", "--party", "comp.7", "--topology", onePair],
      /^weir: party comp\.7: expected comp\.0/,
    ],
    [
      "a key file that isn't there",
      [...PROMPT, "--topology", onePair, "--alpha", "1", "--key", absent],
      /^weir: key .*absent: expected a readable PEM file, got ENOENT$/,
    ],
    ["no hosts", ["topology", "--hosts", ""], /^weir: --hosts: expected names .*, got ""$/],
    ["a port that is none", ["topology", "--port", "http"], /^weir: --port: expected a number, got "http"$/],
    ["a number of parties that is none", ["topology", "--parties", "1"], /^weir: --parties: expected .*, got 1$/],
  ];

  for (const [name, args, said] of mistakes) {
    it(`says what is wrong: ${name}`, async () => {
      const { code, stdout, stderr } = await weir(...args);
      assert.equal(stdout, "");
      const lines = withoutProgress(stderr);
      assert.match(lines[0], said);
      assert.ok(lines.length <= 3, stderr);
      assert.doesNotMatch(stderr, /^\s+at |node:internal|Error:/m);
      assert.equal(code, 1);
    });
  }

  for (const [name, args] of [
    ["a flag", ["run", "x", "--json", "--alpha", "0"]],
    ["commander's own", ["run", "x", "--json", "--gamma", "0"]],
    ["a file", ["verify", "--json", "--golden", absent]],
  ] as const)
    it(`prints the error as an object on stdout too with --json: ${name}`, async () => {
      const { code, stdout, stderr } = await weir(...args);
      const { error } = errorRecord.parse(JSON.parse(stdout));
      assert.equal(stdout.indexOf("\n"), stdout.length - 1, "expected one line on stdout");
      assert.equal(stderr.split("\n")[0], `weir: ${error.message}`);
      assert.equal(code, 1);
    });

  for (const [name, out, said] of [
    ["nowhere", path.join(absent, "run.json"), /^weir: --out .*run\.json: expected a file .* written, got ENOENT$/m],
    ["a full disk", "/dev/full", /^weir: --out \/dev\/full: expected a file .* written, got ENOSPC; free some space/m],
  ] as const)
    it(`says where a result can't be written: ${name}`, async () => {
      const { code, stdout, stderr } = await weir(
        "plan",
        "--n",
        "4",
        "--new-tokens",
        "1",
        "--machines",
        "2",
        "--out",
        out,
      );
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /^\s+at |node:internal|Error:/m);
      assert.equal(stdout, "");
      assert.equal(code, 1);
    });

  it("names the fault of an error by its code", async () => {
    const { stdout } = await weir("run", "x", "--json", "--config", absent);
    assert.equal(errorRecord.parse(JSON.parse(stdout)).error.code, "ENOENT");
  });
});
