import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import {
  drawsPastTheBook,
  emptyNames,
  longFiles,
  machinePlaces,
  missingHeaders,
  missingTests,
  protocolSteps,
  unregistered,
  untestedMeasures,
  wrongImports,
} from "./house-rules.ts";
import { folderCircles, importCircles } from "./import-circles.ts";
import { foreignPartyNames } from "./party-names.ts";
import { SOURCES } from "./sources.ts";

const MOST_LINES = 400;

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

  it("draws secret streams from the book that refuses a second draw", () => {
    assert.deepEqual(drawsPastTheBook(SOURCES), []);
    const past = 'import { Generator } from "../../../shares/generator.ts";';
    assert.equal(drawsPastTheBook(new Map([["protocols/smpc/run/party-run.ts", past]])).length, 1);
    assert.deepEqual(drawsPastTheBook(new Map([["layers/sampling.ts", past]])), []);
  });

  it("has no circle of imports, of types either", () => {
    assert.deepEqual(importCircles(SOURCES), []);
    const circle = (files: Readonly<Record<string, string>>): string[] => importCircles(new Map(Object.entries(files)));
    assert.deepEqual(
      circle({ "a/x.ts": 'import type { Y } from "../b/y.ts";', "b/y.ts": 'export * from "../a/x.ts";', "c.ts": "" }),
      ["a/x.ts b/y.ts"],
    );
    const three = {
      "x.ts": 'import "./y.ts";',
      "y.ts": 'await import("./z.ts");',
      "z.ts": 'import { x } from "./x.ts";',
    };
    assert.deepEqual(circle({ ...three, "w.ts": 'import "./x.ts";' }), ["x.ts y.ts z.ts"]);
    assert.deepEqual(circle({ "x.ts": 'import type { X } from "./x.ts";' }), ["x.ts"]);
    assert.deepEqual(circle({ ...three, "z.ts": "" }), []);
    assert.deepEqual(
      circle({ "x.ts": 'import "./y.ts"; import "./z.ts";', "y.ts": 'import "./z.ts";', "z.ts": "" }),
      [],
    );
  });

  it("makes and parses the names of parties in one file", () => {
    assert.deepEqual(foreignPartyNames(SOURCES), []);
    const kind = "com" + "p";
    for (const line of [
      `const name = \`${kind}.\${i}\`;`,
      `if (party.startsWith("${kind}.")) return;`,
      `const [kind, j] = party.split(".");`,
      `const [, j] = peer!.split(".", 2);`,
    ]) {
      assert.equal(foreignPartyNames(new Map([["protocols/fusion/x.ts", line]])).length, 1, line);
      assert.equal(foreignPartyNames(new Map([["cli/x.ts", line]])).length, 1, line);
      assert.deepEqual(foreignPartyNames(new Map([["protocols/cascade/party-name.ts", line]])), []);
    }
    assert.deepEqual(foreignPartyNames(new Map([["layers/x.ts", `site.split(".").at(-2)`]])), []);
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

  it("opens each step of a protocol with what it does, for whom, what leaks and what it costs", () => {
    const steps = protocolSteps(SOURCES);
    assert.ok(steps.filter((file) => file.startsWith("protocols/smpc/gates/")).length >= 20, "gates");
    for (const room of ["cascade", "smpc/run", "fusion"])
      assert.ok(steps.filter((file) => file.startsWith(`protocols/${room}/`)).length >= 3, room);
    assert.deepEqual(missingHeaders(SOURCES), []);
    for (const step of steps)
      for (const part of ["Functionality", "Parties", "Leaks", "Assumes", "Cost", "Error bound", "Reference", "Test"]) {
        const without = SOURCES.get(step)!.replace(/^\/\*\*[^]*?\*\//, (header) => header.replaceAll(`${part}:`, ""));
        assert.match(missingHeaders(new Map([[step, without]]))[0] ?? "", new RegExp(`expected ${part} in`), step);
      }
  });

  it("knows a step of a protocol by its place, its name or what it does", () => {
    const send = "await this.#endpoint.send(peer, key, tensor);";
    const cost = 'export const gossipCost: CostExpressions = { payloadBytes: "0" };';
    for (const [file, text] of [
      ["protocols/smpc/gates/cube.ts", ""],
      ["protocols/cascade/gossip-pass.ts", ""],
      ["protocols/cascade/merge.ts", ""],
      ["protocols/smpc/run/thin-party-run.ts", ""],
      ["protocols/cascade/gossip.ts", send],
      ["protocols/fusion/node/gossip.ts", send.replace("send", "receive")],
      ["protocols/fusion/gossip/rounds.ts", cost],
      ["protocols/smpc/run/thin-share.ts", "streams.stream(purpose).fillWords(term, bits);"],
    ]) {
      assert.deepEqual(protocolSteps(new Map([[file, text]])), [file]);
      assert.equal(missingHeaders(new Map([[file, text]])).length, 1, file);
    }
    for (const [file, text] of [
      ["protocols/smpc/gates/registry.ts", ""],
      ["protocols/wire/mailbox.ts", send],
      ["protocols/cascade/sharding.ts", ""],
      ["protocols/cost.ts", cost],
      ["experiments/bench/smpc/bench-party.ts", send],
    ])
      assert.deepEqual(protocolSteps(new Map([[file, text]])), [], file);
  });

  it("has no circle of folders in experiments", () => {
    assert.deepEqual(folderCircles(SOURCES, "experiments"), []);
    const files = {
      "experiments/a/x.ts": 'import "../b/y.ts";',
      "experiments/a/z.ts": "",
      "experiments/b/y.ts": 'import "../a/z.ts";',
    };
    assert.deepEqual(importCircles(new Map(Object.entries(files))), []);
    assert.deepEqual(folderCircles(new Map(Object.entries(files)), "experiments"), ["experiments/a experiments/b"]);
  });

  it("registers each architecture, attack and gate", () => {
    assert.deepEqual(unregistered(SOURCES), []);
    for (const [file, text, registry] of [
      ["layers/architectures/opt.ts", "export const opt: Architecture = {", "layers/architectures/registry.ts"],
      [
        "experiments/attacks/guess/attack.ts",
        "export const guess: Attack<Options> = {",
        "experiments/attacks/registry.ts",
      ],
      [
        "experiments/attacks/any-of/attack.ts",
        "export function anyOf(n: Named): Attack<unknown> {",
        "experiments/attacks/registry.ts",
      ],
      ["protocols/smpc/gates/cube.ts", 'export const cube: Gate<"cube"> = {', "protocols/smpc/gates/registry.ts"],
    ]) {
      const forgotten = new Map([...SOURCES, [file, `${text}\n};`]]);
      const name = /(\w+)[:(]/.exec(text)![1];
      assert.deepEqual(unregistered(forgotten), [`${file}: expected ${name} in ${registry}`]);
      const line = `import { ${name} } from "./${path.posix.relative(path.posix.dirname(registry), file)}";\n`;
      assert.deepEqual(unregistered(new Map([...forgotten, [registry, line + SOURCES.get(registry)!]])), []);
    }
  });

  it("names tests that exist", () => {
    assert.deepEqual(missingTests(SOURCES), []);
    const name = ["tests", "nowhere.test.ts"].join("/");
    assert.equal(missingTests(new Map([["layers/a.ts", `/** Test: ${name} */`]])).length, 1);
  });

  it("has a test of every measure", () => {
    assert.deepEqual(untestedMeasures(SOURCES), []);
    const file = "experiments/measures/more.ts";
    const lone = new Map([[file, "export const more: Measure = {};"]]);
    assert.deepEqual(untestedMeasures(lone), [
      `${file}: expected ${["tests", "experiments/measures/more.test.ts"].join("/")}`,
    ]);
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
