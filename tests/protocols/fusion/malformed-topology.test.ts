import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { makeTopology, parseTopology, type Topology } from "../../../protocols/fusion/deployment/topology.ts";

const GOOD = makeTopology(2, 1, ["127.0.0.1"], 7700);
const changed = (change: Record<string, unknown>): string => JSON.stringify({ ...GOOD, ...change });
const withNodes = (change: Record<string, unknown>): string => changed({ nodes: { ...GOOD.nodes, ...change } });
const without = (name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(GOOD.nodes).filter(([node]) => node !== name));

/** name, text, what the error must say */
const MALFORMED: readonly [string, string, RegExp][] = [
  ["nothing", "", /expected JSON/],
  ["half a file", JSON.stringify(GOOD).slice(0, 40), /expected JSON/],
  ["a list", "[]", /expected an object, got \[\]/],
  ["null", "null", /expected an object, got null/],
  ["an unknown key", changed({ gamma: 3 }), /gamma/],
  ["no alpha", changed({ alpha: undefined }), /alpha/],
  ["alpha 0", changed({ alpha: 0 }), /alpha/],
  [
    "neither CompNodes nor SMPC parties",
    changed({ alpha: 0, beta: 0, nodes: {} }),
    /expected alpha and beta above 0, or both 0 and SMPC parties, got alpha 0, beta 0 and 0 parties/,
  ],
  ["alpha a text", changed({ alpha: "2" }), /alpha/],
  ["beta a fraction", changed({ beta: 1.5 }), /beta/],
  ["beta too large", changed({ beta: 65 }), /beta/],
  ["no nodes", changed({ nodes: {} }), /got none for comp\.0, comp\.1, attn\.0\.0/],
  ["a node missing", changed({ nodes: without("comp.1") }), /got none for comp\.1/],
  ["a node too many", withNodes({ "comp.2": "ws://127.0.0.1:9000" }), /comp\.2/],
  ["an unknown party", withNodes({ server: "ws://127.0.0.1:9000" }), /server/],
  ["an address taken twice", withNodes({ "comp.1": GOOD.nodes["comp.0"] }), /comp\.0's/],
  ["an address that is none", withNodes({ "comp.1": "somewhere" }), /comp\.1/],
  ["another protocol", withNodes({ "comp.1": "http://127.0.0.1:7701" }), /comp\.1/],
  ["a number for an address", withNodes({ "comp.1": 7701 }), /comp\.1/],
];

describe("parseTopology", () => {
  it("takes what makeTopology makes", () => {
    assert.deepEqual(parseTopology(JSON.stringify(GOOD), "good.json"), GOOD);
  });

  for (const [name, text, fault] of MALFORMED) {
    it(`refuses ${name}, naming the file and the fault`, () => {
      assert.throws(
        () => parseTopology(text, "some.json"),
        (error: Error) => error.message.startsWith("topology some.json: ") && fault.test(error.message),
      );
    });
  }

  it("gives a topology or an error with the file's name, for any text and any mutated file", () => {
    const good = JSON.stringify(GOOD);
    const mutated = fc
      .tuple(fc.nat(good.length), fc.nat(8), fc.string({ maxLength: 8 }))
      .map(([at, cut, text]) => good.slice(0, at) + text + good.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), mutated), (text) => {
        let topology: Topology | null = null;
        try {
          topology = parseTopology(text, "some.json");
        } catch (error) {
          assert.match((error as Error).message, /^topology some\.json: /);
        }
        if (topology !== null) assert.equal(Object.keys(topology.nodes).length, topology.alpha + topology.beta ** 2);
      }),
    );
  });
});
