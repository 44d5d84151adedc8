import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  attnName,
  compName,
  parsePartyName,
  partyKind,
  PartyNameError,
  smpcName,
} from "../../../protocols/cascade/party-name.ts";

const index = fc.integer({ min: 0, max: 999_999_999 });

test("a name means the party that it was made for", () => {
  fc.assert(
    fc.property(index, index, (a, b) => {
      assert.deepEqual(parsePartyName(compName(a)), { kind: "comp", i: a });
      assert.deepEqual(parsePartyName(attnName(a, b), "attn"), { kind: "attn", j: a, k: b });
      assert.deepEqual(parsePartyName(smpcName(a)), { kind: "smpc", party: a });
    }),
  );
  assert.deepEqual([partyKind("client"), partyKind("dealer")], ["client", "dealer"]);
});

test("any other text is refused by name, and so is a party of another kind", () => {
  const others = [
    "",
    "comp",
    "comp.",
    "comp.-1",
    "comp.01",
    "comp.1.2",
    "attn.1",
    "attn.1.2.3",
    "smpc.x",
    "Client",
    "dealer.0",
    " comp.0",
    "comp.0\n",
    "comp.1e3",
  ];
  for (const text of others)
    assert.throws(
      () => parsePartyName(text),
      (error) => {
        assert.ok(error instanceof PartyNameError);
        assert.ok(
          error.message.startsWith("party: expected client, comp.0, attn.0.0, smpc.0 or dealer"),
          error.message,
        );
        return error.message.endsWith(`got ${text}`);
      },
      text,
    );
  assert.throws(
    () => parsePartyName("smpc.0", "attn"),
    /^PartyNameError: party: expected one of kind attn, got smpc\.0$/,
  );
});
