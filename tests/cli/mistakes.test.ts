/** What people get wrong at the command line: exit code 1, a few lines on stderr that say it, nothing on stdout, no stack trace. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import { scratchFolder } from "../layers/scratch-folder.ts";
import { weir, withoutProgress } from "./weir-command.ts";

const BERT = path.resolve(import.meta.dirname, "../fixtures/models/bert");
const PROMPT = ["run", "--prompt", "The river"];

describe("weir", async () => {
  const scratch = await scratchFolder();
  const absent = path.join(scratch.path, "absent");
  const wrong = await scratch.write("wrong.json", '{"alpha": 2, "temperature": "warm"}');
  const onePair = await scratch.write(
    "pair.json",
    JSON.stringify({ alpha: 1, beta: 1, nodes: { "comp.0": "ws://127.0.0.1:9", "attn.0.0": "ws://127.0.0.1:10" } }),
  );

  /** name, arguments, the first line of stderr */
  const mistakes: readonly [string, readonly string[], RegExp][] = [
    ["an unknown subcommand", ["walk"], /unknown command 'walk'/],
    ["an unknown flag", [...PROMPT, "--gamma", "3"], /unknown option '--gamma'/],
    ["no prompt", ["run"], /required option '--prompt <text>' not specified/],
    [
      "an empty prompt",
      ["run", "--prompt", ""],
      /'--prompt <text>' argument '' is invalid. expected some text, got none/,
    ],
    ["a word for a number", [...PROMPT, "--alpha", "many"], /^weir: alpha: expected a number, got "many"$/],
    ["a number too small", [...PROMPT, "--alpha", "0"], /^weir: alpha: expected at least 1, got 0$/],
    ["a negative number", [...PROMPT, "--temperature", "-1"], /^weir: temperature: expected at least 0, got -1$/],
    ["half a JSON value", [...PROMPT, "--r", '{"rule"'], /^weir: r: expected JSON, got \{"rule"$/],
    [
      "flags that exclude one another",
      [...PROMPT, "--beta", "2", "--m", "2"],
      /^weir: beta and m: expected one of them/,
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
      /^weir: prompt and maxTokens: expected at most 512 positions \(the context of default\), got \d+ \+ 48 tokens$/,
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
      "no topology there",
      [...PROMPT, "--topology", absent],
      /^weir: topology .*absent: expected a readable file, got ENOENT$/,
    ],
    [
      "a topology of another shape",
      [...PROMPT, "--topology", onePair],
      /^weir: alpha: expected 1 \(.*pair\.json\), got 4/,
    ],
    ["no golden file there", ["verify", "--golden", absent], /^weir: .*absent: expected a file, got none there/],
    [
      "an unknown schema",
      ["schema", "prompt"],
      /argument 'prompt' is invalid.*Allowed choices are|'prompt' is invalid for argument/,
    ],
    [
      "a part of the bench that there isn't",
      ["bench", "--only", "lunch"],
      /^weir: only: expected some of .*, got lunch$/,
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
    ["no hosts", ["topology", "--hosts", ""], /^weir: hosts: expected names .*, got an empty one in ""$/],
    ["a port that is none", ["topology", "--port", "http"], /^weir: port: expected a number, got "http"$/],
  ];

  for (const [name, args, said] of mistakes) {
    it(`says what is wrong: ${name}`, async () => {
      const { code, stdout, stderr } = await weir(...args);
      assert.equal(stdout, "");
      const lines = withoutProgress(stderr).trimEnd().split("\n");
      assert.match(lines[0], said);
      assert.ok(lines.length <= 3, stderr);
      assert.doesNotMatch(stderr, /^\s+at |node:internal|Error:/m);
      assert.equal(code, 1);
    });
  }
});
