/** Topologies in which one machine could open shares are refused, unless they say that they are insecure. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { colocations, machineOf, machinesBeside } from "../../../protocols/fusion/deployment/machines.ts";
import { makeTopology, parseTopology } from "../../../protocols/fusion/deployment/topology.ts";

const CASCADE = makeTopology(2, 1, ["10.0.0.1", "10.0.0.2"], 7700);

/** A topology with SMPC parties on these hosts, and perhaps a dealer. */
const withParties = (hosts: readonly string[], dealer: string | null, more: object = {}): string =>
  JSON.stringify({
    ...CASCADE,
    parties: hosts.length,
    dealer: dealer !== null,
    nodes: {
      ...CASCADE.nodes,
      ...Object.fromEntries(hosts.map((host, party) => [`smpc.${party}`, `wss://${host}:${7800 + party}`])),
      ...(dealer === null ? {} : { dealer: `wss://${dealer}:7900` }),
    },
    ...more,
  });

describe("a topology with SMPC parties", () => {
  it("is taken where no machine holds all shares, or a share and what is dealt", () => {
    for (const text of [
      withParties(["10.0.0.1", "10.0.0.2"], null),
      withParties(["10.0.0.1", "10.0.0.2", "10.0.0.2"], null),
      withParties(["10.0.0.1", "10.0.0.2"], "10.0.0.3"),
      // Two addresses of one host name, but machines of their own (behind a forwarder).
      withParties(["10.0.0.9", "10.0.0.9"], null, { machines: { "smpc.0": "a", "smpc.1": "b" } }),
    ])
      assert.equal(parseTopology(text, "some.json").parties! >= 2, true);
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    [
      "all parties on one host",
      withParties(["10.0.0.1", "10.0.0.1"], null),
      /^topology some\.json: smpc\.0 to smpc\.1: expected more than one machine, got 10\.0\.0\.1 for all\. Who has that machine reads the whole prompt; "insecureColocation": true \(--insecure-colocation\) allows it$/,
    ],
    [
      "all parties on one machine with several addresses",
      withParties(["10.0.0.1", "10.0.0.2"], null, { machines: { "smpc.0": "a", "smpc.1": "a" } }),
      /expected more than one machine, got a for all/,
    ],
    [
      "the dealer beside a party",
      withParties(["10.0.0.1", "10.0.0.2"], "10.0.0.2"),
      /dealer, which deals: expected a machine without an SMPC party, got 10\.0\.0\.2, which has smpc\.1/,
    ],
    [
      "the client, which deals, beside a party",
      withParties(["10.0.0.1", "10.0.0.2"], null, { machines: { client: "10.0.0.1" } }),
      /client, which deals: expected a machine without an SMPC party, got 10\.0\.0\.1, which has smpc\.0/,
    ],
    ["a single party", withParties(["10.0.0.1"], null), /parties: expected/],
    [
      "an address missing",
      withParties(["10.0.0.1", "10.0.0.2"], null, { dealer: true }),
      /expected an address for 6 nodes, got none for dealer/,
    ],
  ];
  for (const [what, text, reason] of refused)
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseTopology(text, "some.json"), { message: reason });
    });

  it("is refused with all parties on one machine under two of its names", () => {
    const names = [
      "localhost",
      "127.0.0.1",
      "127.1",
      "127.0.0.2",
      "[::1]",
      "0.0.0.0",
      "[::]",
      "[::ffff:127.0.0.1]",
      "a.localhost",
    ];
    for (const name of names)
      assert.throws(
        () => parseTopology(withParties(["127.0.0.1", name], null), "some.json"),
        /more than one machine/,
        name,
      );
    for (const [one, other] of [
      ["10.0.0.9", "[::ffff:10.0.0.9]"],
      ["node.example", "NODE.example."],
      ["10.0.0.9", "0x0a.0.0.9"],
    ])
      assert.throws(() => parseTopology(withParties([one, other], null), "some.json"), /more than one machine/, other);
  });

  it("has the parties that are reached at the client's own machine on one machine, under whatever address", () => {
    const placed = { nodes: { "smpc.0": "wss://10.0.0.5:1", "smpc.1": "ws://localhost:2" }, parties: 2 };
    assert.equal(colocations({ ...placed, machines: machinesBeside(placed, ["10.0.0.5"]) }).length, 2);
    assert.deepEqual(colocations({ ...placed, dealer: true, machines: machinesBeside(placed, ["10.0.0.6"]) }), []);
    const labels = { ...placed, machines: { "smpc.0": "a", client: "c" } };
    assert.deepEqual(machinesBeside(labels, ["10.0.0.5"]), { "smpc.0": "a", "smpc.1": "c", client: "c" });
  });

  it("is taken with the flag that says it is insecure, and warned about", () => {
    const written: string[] = [];
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text: string | Uint8Array) => written.push(String(text)) > 0;
    try {
      parseTopology(withParties(["10.0.0.1", "10.0.0.1"], null, { insecureColocation: true }), "some.json");
    } finally {
      process.stderr.write = write;
    }
    assert.match(
      written.join(""),
      /^warning: topology some\.json: .*nothing is secret from that machine \(insecureColocation\)\n$/,
    );
  });

  it("has a client that is nowhere in particular until it is placed", () => {
    const topology = parseTopology(withParties(["10.0.0.1", "10.0.0.2"], null), "some.json");
    assert.equal(machineOf("client", topology), null);
    assert.equal(machineOf("smpc.1", topology), "10.0.0.2");
    assert.deepEqual(colocations({ ...topology, parties: 0 }), []);
  });
});
