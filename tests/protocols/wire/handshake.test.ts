import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HandshakeError } from "../../../protocols/wire/errors.ts";
import { checkHello, describeFields, helloOf } from "../../../protocols/wire/handshake.ts";
import { wireLimits } from "../../../protocols/wire/limits.ts";
import { runs } from "./property-runs.ts";

const hello = (description: unknown, party = "a") =>
  helloOf(party, null, "model", describeFields(description), wireLimits());

describe("describeFields", () => {
  it("names short values and hashes long ones", () => {
    const long = Array.from({ length: 100 }, (_, i) => i);
    assert.deepEqual(describeFields({ b: { c: 1, d: "x" }, a: [1, 2], long, none: {} }), {
      a: "[1,2]",
      "b.c": "1",
      "b.d": '"x"',
      // printf "[0,1,...,99]" | sha256sum, the first 32 digits
      long: "sha256:9dd50adbd73bc58bb391efca85d1436f",
      none: "{}",
    });
    assert.match(describeFields({ long }).long, /^sha256:[0-9a-f]{32}$/);
    assert.deepEqual(describeFields({}), {});
  });

  it("does not depend on the order of keys, and differs where a value does", () => {
    const json = fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
      minKeys: 1,
      maxKeys: 6,
    });
    fc.assert(
      fc.property(json, fc.nat(), (description, choice) => {
        const reversed = Object.fromEntries(Object.entries(description).reverse());
        assert.deepEqual(describeFields(reversed), describeFields(description));
        const names = Object.keys(description);
        const name = names[choice % names.length];
        const changed = { ...description, [name]: ["another", description[name]] };
        assert.throws(() => checkHello(hello(description), hello(changed, "b")), HandshakeError);
        assert.doesNotThrow(() => checkHello(hello(description), hello(reversed, "b")));
      }),
      runs(200),
    );
  });

  it("refuses a description of too many fields", () => {
    const fields = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`f${i}`, i]));
    assert.throws(() => describeFields(fields), /expected at most 500 fields, got 501; put lists into arrays/);
  });
});

describe("checkHello", () => {
  it("names every field that differs with both values", () => {
    const ours = hello({ parties: { alpha: 2 }, only: { here: true } });
    const theirs = { ...hello({ parties: { alpha: 4 } }, "b"), protocol: 9, model: "other", to: "z" };
    assert.throws(
      () => checkHello(ours, theirs),
      (error: unknown) => {
        assert.ok(error instanceof HandshakeError);
        assert.equal(error.peer, "b");
        assert.equal(
          error.message,
          "handshake of a with b: protocol version: expected 2, got 9; model: expected model, got other; " +
            "description only.here: expected true, got none; description parties.alpha: expected 2, got 4; " +
            "party it means to reach: expected a, got z",
        );
        return true;
      },
    );
  });

  it("names ten at most", () => {
    const fields = (add: number) => Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, i + add]));
    assert.throws(() => checkHello(hello(fields(0)), hello(fields(1), "b")), /; and 20 more$/);
  });
});
