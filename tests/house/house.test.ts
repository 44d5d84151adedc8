import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import {
  emptyNames,
  longFiles,
  machinePlaces,
  missingHeaders,
  missingTests,
  wrongImports,
  type Sources,
} from "./house-rules.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const MOST_LINES = 400;

const PASSES = [
  "pre-pass",
  "attention-pass",
  "post-pass",
  "comp-node",
  "attn-node",
  "merge",
  "edges",
  "mask-seeds",
  "scale-exchange",
  "masked-merge",
].map((name) => `protocols/cascade/${name}.ts`);
/** What SMPC parties and the dealer do; each gate is a file. */
const SECRET_PASSES = [
  ...["party-run", "dealer-run", "share-rows", "hand-over"].map((name) => `protocols/smpc/run/${name}.ts`),
  "protocols/fusion/session/session-dealer.ts",
  "protocols/fusion/node/smpc-party.ts",
];
const GATES = /^protocols\/smpc\/gates\/(?!registry\.ts$)[\w-]+\.ts$/;
/** Those that round numbers. */
const ROUNDING = new Set([
  ...["pre-pass", "attention-pass", "post-pass", "merge", "scale-exchange", "masked-merge"].map(
    (name) => `protocols/cascade/${name}.ts`,
  ),
  ...["party-run", "dealer-run", "share-rows", "hand-over"].map((name) => `protocols/smpc/run/${name}.ts`),
]);

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: CHECKOUT, encoding: "utf8" })
  .split("\0")
  .filter((file) => file !== "" && existsSync(path.join(CHECKOUT, file)));
const isText = (file: string): boolean =>
  !/\.(safetensors|gguf|onnx|wasm|png|pem|key)$/.test(file) && !file.endsWith("tokenizer.json");
const SOURCES: Sources = new Map(
  tracked.map((file) => [file, isText(file) ? readFileSync(path.join(CHECKOUT, file), "utf8") : ""]),
);

describe("the house", () => {
  it("looks one way: shares <- layers <- protocols (wire, smpc <- cascade <- fusion) <- experiments <- cli", () => {
    assert.deepEqual(wrongImports(SOURCES), []);
    for (const [from, to] of [
      ["shares/ring.ts", "../layers/tensor.ts"],
      ["layers/tensor.ts", "../protocols/cost.ts"],
      ["layers/onnx/engine.ts", "../../tests/run.ts"],
      ["protocols/wire/frame.ts", "../cascade/merge.ts"],
      ["protocols/cascade/merge.ts", "../fusion/client/client.ts"],
      ["protocols/cost.ts", "./wire/frame.ts"],
      ["protocols/wire/frame.ts", "../smpc/plan/placement.ts"],
      ["protocols/smpc/plan/placement.ts", "../../wire/frame.ts"],
      ["protocols/smpc/plan/placement.ts", "../../cascade/merge.ts"],
      ["protocols/smpc/gates/open.ts", "../../fusion/client/client.ts"],
      ["protocols/cascade/merge.ts", "../fusion/session/smpc-program.ts"],
      ["protocols/elsewhere/x.ts", "../wire/frame.ts"],
      ["protocols/fusion/client/client.ts", "../../elsewhere/x.ts"],
      ["protocols/fusion/client/client.ts", "../../../experiments/verify/verify.ts"],
      ["experiments/verify/verify.ts", "../../cli/run.ts"],
      ["cli/run.ts", "../proofs/lemma.ts"],
      ["protocols/fusion/client/client.ts", "../../../elsewhere.ts"],
    ]) {
      for (const statement of [
        `import { x } from "${to}";`,
        `import type { X } from '${to}';`,
        `export * from "${to}";`,
        `const { x } = await import("${to}");`,
        `import "${to}";`,
        `const { x } = require("${to}");`,
      ])
        assert.equal(wrongImports(new Map([[from, statement]])).length, 1, `${from}: ${statement}`);
    }
    const allowed = `import { a } from "../../wire/frame.ts"; import b from "ws"; import c from "../../../layers/tensor.ts";`;
    assert.deepEqual(wrongImports(new Map([["protocols/fusion/client/client.ts", allowed]])), []);
    const shares = `import { a } from "../smpc/run/share-rows.ts"; import b from "../cost.ts"; import c from "./merge.ts";`;
    assert.deepEqual(wrongImports(new Map([["protocols/cascade/comp-node.ts", shares]])), []);
  });

  it(`keeps files to ${MOST_LINES} lines`, () => {
    assert.deepEqual(longFiles(SOURCES, MOST_LINES), []);
    assert.equal(longFiles(new Map([["layers/long.ts", "\n".repeat(401)]]), MOST_LINES).length, 1);
    assert.equal(longFiles(new Map([["layers/long.ts", "\n".repeat(400)]]), MOST_LINES).length, 0);
  });

  it("names files for what is in them", () => {
    assert.deepEqual(emptyNames(SOURCES), []);
    const bad = [
      "layers/utils.ts",
      "tests/common/x.ts",
      "cli/run-helpers.ts",
      "shares/misc.mjs",
      "layers/Util.test.ts",
    ];
    assert.deepEqual(emptyNames(new Map(bad.map((file) => [file, ""]))), bad);
    assert.deepEqual(emptyNames(new Map([["layers/commonality-index.ts", ""]])), []);
  });

  it("opens each protocol file with what it does, for whom, what leaks and what it costs", () => {
    const gates = [...SOURCES.keys()].filter((file) => GATES.test(file));
    assert.ok(gates.length >= 20, `gates: expected the files of protocols/smpc/gates, got ${gates.length}`);
    assert.deepEqual(missingHeaders(SOURCES, [...PASSES, ...SECRET_PASSES], ROUNDING), []);
    assert.deepEqual(missingHeaders(SOURCES, gates, new Set(gates)), []);
    const [file] = PASSES;
    const header = SOURCES.get(file)!;
    for (const part of ["Leaks", "Cost", "Error bound", "Test"]) {
      const without = new Map([[file, header.replace(`${part}:`, "")]]);
      assert.match(missingHeaders(without, [file], ROUNDING)[0], new RegExp(`expected ${part} in`));
    }
    assert.equal(missingHeaders(new Map([[file, ""]]), [file], ROUNDING).length, 1);
    for (const gate of gates)
      for (const part of ["Functionality", "Parties", "Leaks", "Assumes", "Cost", "Error bound", "Reference", "Test"]) {
        const without = new Map([[gate, SOURCES.get(gate)!.replaceAll(`${part}:`, "")]]);
        assert.match(
          missingHeaders(without, [gate], new Set([gate]))[0] ?? "",
          new RegExp(`expected ${part} in`),
          gate,
        );
      }
  });

  it("names tests that exist", () => {
    assert.deepEqual(missingTests(SOURCES), []);
    const name = ["tests", "nowhere.test.ts"].join("/");
    assert.equal(missingTests(new Map([["layers/a.ts", `/** Test: ${name} */`]])).length, 1);
  });

  it("holds no path of the machine it was written on, and no registry", () => {
    assert.deepEqual(machinePlaces(SOURCES), []);
    for (const place of ["wo" + "rk", "tm" + "p"])
      for (const line of [`const file = "/${place}/x"`, `/${place}/x`, `see: /${place}/x`])
        assert.equal(machinePlaces(new Map([["docs/a.md", line]])).length, 1, line);
    assert.equal(machinePlaces(new Map([["docs/a.md", "https://registry.np" + "mjs.org"]])).length, 1);
    assert.deepEqual(machinePlaces(new Map([["a.md", "frame/work/done and node_modules/.tmp/x"]])), []);
  });
});
