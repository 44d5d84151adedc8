import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { strictObject, z } from "zod";
import {
  abortOf,
  abortSchema,
  CONTROL_SCHEMAS,
  parseControl,
  serializeControl,
} from "../../../protocols/wire/control.ts";
import {
  AbortedError,
  ControlError,
  OversizedError,
  PeerLostError,
  WireError,
} from "../../../protocols/wire/errors.ts";
import { runs } from "./property-runs.ts";

const schemas = { ...CONTROL_SCHEMAS, greet: strictObject({ type: z.literal("greet"), names: z.array(z.string()) }) };

describe("control messages", () => {
  it("are the same after a trip as JSON, a protocol's own types included", () => {
    for (const message of [
      { type: "ping", id: 3 },
      { type: "greet", names: ["ä", "\u0000", "日本"] },
      { type: "abort", party: null, code: "X", reason: "y" },
    ]) {
      assert.deepEqual(parseControl(serializeControl(message, schemas, 1000), schemas, "a"), message);
    }
  });

  it("are checked before they are sent, and bounded in bytes, not characters", () => {
    assert.throws(() => serializeControl({ type: "greet" }, schemas, 1000), ControlError);
    assert.throws(
      () => serializeControl({ type: "nothing" }, schemas, 1000),
      /control message to send: expected a type of hello, /,
    );
    const names = ["日".repeat(20)];
    const bytes = new TextEncoder().encode(JSON.stringify({ type: "greet", names })).byteLength;
    assert.equal(serializeControl({ type: "greet", names }, schemas, bytes).byteLength, bytes);
    assert.throws(() => serializeControl({ type: "greet", names }, schemas, bytes - 1), OversizedError);
  });

  it("fail with errors of the wire alone, on any bytes and any JSON", () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.json().map((json) => new TextEncoder().encode(json)),
      fc
        .record({
          type: fc.constantFrom(...Object.keys(schemas), "__proto__", "constructor"),
          id: fc.anything(),
          party: fc.string(),
        })
        .map((value) => new TextEncoder().encode(JSON.stringify(value) ?? "")),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        try {
          assert.equal(typeof parseControl(bytes, schemas, "a").type, "string");
        } catch (error) {
          assert.ok(error instanceof WireError, String(error));
          assert.equal(error.peer, "a");
          assert.ok(error.message.length < 2000);
        }
      }),
      runs(1000),
    );
  });

  it("pass on the first cause of an end, however many parties tell it", () => {
    const cause = new PeerLostError("victim", "peer victim: gone");
    let told = abortSchema.parse(abortOf(cause));
    for (const reporter of ["b", "c", "d"]) {
      const error = new AbortedError(told.party, reporter, told.reason, told.code);
      assert.equal(error.message, `aborted by ${reporter}: peer victim: gone`);
      told = abortSchema.parse(abortOf(error));
    }
    assert.deepEqual(told, { type: "abort", party: "victim", code: "WIRE_PEER_LOST", reason: "peer victim: gone" });
    assert.equal(abortSchema.parse(abortOf(new Error("x".repeat(10_000)))).reason.length, 4000);
  });
});
