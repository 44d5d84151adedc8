import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FrameError, OversizedError, WireError } from "../../../protocols/wire/errors.ts";
import {
  decodeHeader,
  encodeHeader,
  type FrameHeader,
  HEADER_BYTES,
  webSocketHeaderBytes,
} from "../../../protocols/wire/frame.ts";
import { wireLimits } from "../../../protocols/wire/limits.ts";
import { MESSAGES, type Role } from "../../../protocols/wire/messages.ts";
import { runs } from "./property-runs.ts";

const limits = wireLimits({ chunkBytes: 64, maxTensorBytes: 256, maxControlBytes: 32, maxLayers: 100 });

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** q of layer 3, step 5, session 0xdeadbeef, round 7: [2, 3] float32, the fifth frame of its link. */
const Q_HEADER: FrameHeader = {
  kind: "tensor",
  word: "float32",
  role: "q",
  session: 0xdeadbeef,
  layer: 3,
  part: 0,
  step: 5,
  round: 7,
  rows: 2,
  columns: 3,
  sequence: 4,
  payloadBytes: 24,
  offsetBytes: 0,
  totalBytes: 24,
};
const Q_HEX = `57454952 02 01 02 02 efbeadde 03000000 05000000 07000000
  02000000 03000000 04000000 18000000 00000000 18000000`.replace(/\s/g, "");
const Q_PAYLOAD = "00".repeat(24);

/** ids of step 0, outside the layers: [1, 1] int32. */
const IDS_HEADER: FrameHeader = {
  ...Q_HEADER,
  word: "int32",
  role: "ids",
  layer: -1,
  part: 0,
  step: 0,
  round: 1,
  rows: 1,
  columns: 1,
  payloadBytes: 4,
  totalBytes: 4,
};
/** The opening of round 258 in the segment that begins with layer 3: five bytes. */
const OPENED_HEADER: FrameHeader = {
  ...Q_HEADER,
  word: "uint8",
  role: "opened",
  part: 258,
  rows: 1,
  columns: 5,
  payloadBytes: 5,
  totalBytes: 5,
};
const OPENED_HEX = `57454952 02 01 05 0a efbeadde 03000201 05000000 07000000
  01000000 05000000 04000000 05000000 00000000 05000000`.replace(/\s/g, "");

const IDS_HEX = `57454952 02 01 04 01 efbeadde ffff0000 00000000 01000000
  01000000 01000000 04000000 04000000 00000000 04000000`.replace(/\s/g, "");

/** A heartbeat with the largest sequence number. */
const HEARTBEAT_HEX = `57454952 02 03 00 00 00000000 00000000 00000000 00000000
  00000000 00000000 ffffffff 00000000 00000000 00000000`.replace(/\s/g, "");

const frameWith = (changes: Partial<FrameHeader>, payload = 24): Uint8Array => {
  const frame = new Uint8Array(HEADER_BYTES + payload);
  encodeHeader({ ...Q_HEADER, ...changes }, frame);
  return frame;
};

/** Q's frame with the byte at `at` replaced. */
const patched = (at: number, byte: number): Uint8Array => {
  const frame = bytesOf(Q_HEX + Q_PAYLOAD);
  frame[at] = byte;
  return frame;
};

describe("frame header", () => {
  it("is 48 bytes and a multiple of 16, so that a payload behind it is aligned", () => {
    assert.equal(HEADER_BYTES, 48);
    assert.equal(HEADER_BYTES % 16, 0);
  });

  it("has these bytes", () => {
    const q = new Uint8Array(HEADER_BYTES);
    encodeHeader(Q_HEADER, q);
    assert.equal(hexOf(q), Q_HEX);
    const ids = new Uint8Array(HEADER_BYTES);
    encodeHeader(IDS_HEADER, ids);
    assert.equal(hexOf(ids), IDS_HEX);
    const opened = new Uint8Array(HEADER_BYTES);
    encodeHeader(OPENED_HEADER, opened);
    assert.equal(hexOf(opened), OPENED_HEX);
  });

  it("reads these bytes", () => {
    assert.deepEqual(decodeHeader(bytesOf(Q_HEX + Q_PAYLOAD), "a", limits), Q_HEADER);
    assert.deepEqual(decodeHeader(bytesOf(`${IDS_HEX}2a000000`), "a", limits), IDS_HEADER);
    assert.deepEqual(decodeHeader(bytesOf(`${OPENED_HEX}0102030405`), "a", limits), OPENED_HEADER);
    const heartbeat = decodeHeader(bytesOf(HEARTBEAT_HEX), "a", limits);
    assert.equal(heartbeat.kind, "heartbeat");
    assert.equal(heartbeat.sequence, 0xffffffff);
  });

  it("reads a header at any offset of a larger buffer", () => {
    const frame = bytesOf(Q_HEX + Q_PAYLOAD);
    for (let offset = 0; offset < 9; offset++) {
      const larger = new Uint8Array(offset + frame.length + 3);
      larger.set(frame, offset);
      assert.deepEqual(decodeHeader(larger.subarray(offset, offset + frame.length), "a", limits), Q_HEADER);
    }
  });
});

const FAULTS: [what: string, frame: Uint8Array, error: typeof WireError, message: RegExp][] = [
  ["nothing", new Uint8Array(0), FrameError, /length: expected at least 48 bytes, got 0/],
  ["half a header", bytesOf(Q_HEX).subarray(0, 24), FrameError, /length: expected at least 48 bytes, got 24/],
  ["another magic", patched(0, 0x58), FrameError, /magic: expected 0x52494557, got 0x52494558/],
  ["a newer version", patched(4, 3), FrameError, /version: expected 2, got 3/],
  ["an unknown kind", patched(5, 4), FrameError, /kind: expected 1, 2 or 3, got 4/],
  ["an unknown word", patched(6, 9), FrameError, /word: expected 0 to 5, got 9/],
  ["no word", patched(6, 0), FrameError, /word: expected one for a tensor, got 0/],
  ["an unknown role", patched(7, 200), FrameError, /role: expected a code of messages.ts, got 200/],
  ["a layer below -1", frameWith({ layer: -2 }), FrameError, /layer: expected -1 to 99, got -2/],
  ["a layer beyond the bound", frameWith({ layer: 100 }), FrameError, /layer: expected -1 to 99, got 100/],
  ["no round", frameWith({ round: 0 }), FrameError, /round: expected 1 or more, got 0/],
  [
    "a shape that is not the total",
    frameWith({ rows: 3 }),
    FrameError,
    /totalBytes: expected 36 for \[3, 3\] float32, got 24/,
  ],
  [
    "less payload than it says",
    frameWith({}, 20),
    FrameError,
    /payloadBytes: expected the 20 bytes that follow, got 24/,
  ],
  [
    "more payload than it says",
    frameWith({}, 28),
    FrameError,
    /payloadBytes: expected the 28 bytes that follow, got 24/,
  ],
  [
    "a tensor beyond the bound",
    frameWith({ rows: 65, columns: 1, totalBytes: 260 }),
    OversizedError,
    /expected at most 256 bytes \(maxTensorBytes\), got 260/,
  ],
  [
    "a shape whose bytes overflow 32 bits",
    frameWith({ rows: 0xffffffff, columns: 0xffffffff }),
    FrameError,
    /totalBytes: expected 7\d{19} for/,
  ],
  [
    "an offset that is not a chunk's",
    frameWith({ rows: 40, columns: 1, totalBytes: 160, offsetBytes: 8 }),
    FrameError,
    /offsetBytes: expected a multiple of 64/,
  ],
  [
    "an offset beyond the end",
    frameWith({ rows: 40, columns: 1, totalBytes: 160, offsetBytes: 192 }),
    FrameError,
    /offsetBytes: expected a multiple of 64 in 160 bytes, got 192/,
  ],
  [
    "a chunk that is not full",
    frameWith({ rows: 40, columns: 1, totalBytes: 160 }),
    FrameError,
    /payloadBytes: expected 64 at offset 0 of 160, got 24/,
  ],
  [
    "a control message with a session",
    frameWith({ kind: "control", word: "none", role: null }),
    FrameError,
    /expected 0 in every tensor field/,
  ],
  [
    "a control message beyond the bound",
    frameWith(
      {
        kind: "control",
        word: "none",
        role: null,
        session: 0,
        layer: 0,
        part: 0,
        step: 0,
        round: 0,
        rows: 0,
        columns: 0,
        payloadBytes: 33,
        totalBytes: 33,
      },
      33,
    ),
    OversizedError,
    /control message from mallory: expected at most 32 bytes, got 33/,
  ],
];

describe("frame parser", () => {
  for (const [what, frame, error, message] of FAULTS) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeHeader(frame, "mallory", limits),
        (thrown: unknown) => {
          assert.ok(thrown instanceof error, String(thrown));
          assert.match(thrown.message, message);
          assert.match(thrown.message, /mallory/);
          assert.equal(thrown.peer, "mallory");
          return true;
        },
      );
    });
  }

  it("gives every message a code of its own", () => {
    for (const role of Object.keys(MESSAGES) as Role[])
      assert.equal(decodeHeader(frameWith({ role }), "a", limits).role, role);
  });

  it("throws its own errors alone on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => onlyWireErrors(bytes)),
      runs(2000),
    );
  });

  it("throws its own errors alone on mutated good frames, and accepts nothing whose lengths disagree", () => {
    const role = fc.constantFrom(...(Object.keys(MESSAGES) as Role[]));
    const good = fc
      .record({ role, rows: fc.nat(4), columns: fc.nat(4), layer: fc.integer({ min: -1, max: 99 }) })
      .map((shape) => {
        const bytes = shape.rows * shape.columns * 4;
        return frameWith({ ...shape, payloadBytes: bytes, totalBytes: bytes }, bytes);
      });
    const edit = fc.record({ at: fc.nat(HEADER_BYTES + 63), byte: fc.nat(255) });
    fc.assert(
      fc.property(good, fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(10), (frame, edits, cut) => {
        assert.ok(decodeHeader(frame, "a", limits));
        for (const { at, byte } of edits) if (at < frame.length) frame[at] = byte;
        onlyWireErrors(frame.subarray(0, frame.length - cut));
      }),
      runs(3000),
    );
  });
});

function onlyWireErrors(frame: Uint8Array): void {
  try {
    const header = decodeHeader(frame, "a", limits);
    assert.equal(header.payloadBytes, frame.length - HEADER_BYTES);
    assert.ok(header.totalBytes <= limits.maxTensorBytes);
  } catch (error) {
    assert.ok(error instanceof WireError, String(error));
  }
}

describe("webSocketHeaderBytes", () => {
  it("is what RFC 6455 says at the edges of its three lengths", () => {
    for (const [length, bytes] of [
      [0, 2],
      [125, 2],
      [126, 4],
      [65_535, 4],
      [65_536, 10],
    ]) {
      assert.equal(webSocketHeaderBytes(length, false), bytes);
      assert.equal(webSocketHeaderBytes(length, true), bytes + 4);
    }
  });
});
