import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CONTROL_SCHEMAS } from "../../../protocols/wire/control.ts";
import { Counters } from "../../../protocols/wire/counters.ts";
import { WireError } from "../../../protocols/wire/errors.ts";
import { encodeHeader, type FrameHeader, HEADER_BYTES } from "../../../protocols/wire/frame.ts";
import { wireLimits } from "../../../protocols/wire/limits.ts";
import { PeerChannel } from "../../../protocols/wire/peer-channel.ts";
import type { Link, LinkHandler } from "../../../protocols/wire/transport.ts";
import { runs } from "./property-runs.ts";

const limits = wireLimits({ chunkBytes: 64, maxTensorBytes: 256, maxControlBytes: 64, maxLayers: 100 });

/** A link whose arriving frames a test makes. */
class HandLink implements Link {
  readonly remote = "a test";
  readonly loopback = true;
  readonly masked = false;
  readonly unsentBytes = 0;
  handler: LinkHandler | null = null;
  start(handler: LinkHandler): void {
    this.handler = handler;
  }
  send(): boolean {
    return true;
  }
  async drained(): Promise<void> {}
  pause(): void {}
  resume(): void {}
  async close(): Promise<void> {}
  terminate(): void {}
}

/** What a stream of frames amounted to: tensors by their bytes, and the fault that ended it. */
function read(frames: readonly Uint8Array[]): { tensors: Uint8Array[]; faults: WireError[] } {
  const link = new HandLink();
  const tensors: Uint8Array[] = [];
  const faults: WireError[] = [];
  const channel = new PeerChannel(link, new Counters("me"), limits, CONTROL_SCHEMAS, {
    tensor: (_header, bytes) => tensors.push(bytes),
    control: () => undefined,
    fault: (error) => {
      faults.push(error);
      void channel.close(error);
    },
    closed: () => undefined,
  });
  channel.name("peer");
  channel.start();
  for (const frame of frames) link.handler?.frame(frame);
  return { tensors, faults };
}

/** The frames of `tensors` (bytes each a multiple of 4), cut into chunks. */
function framesOf(tensors: readonly Uint8Array[]): Uint8Array[] {
  let sequence = 0;
  return tensors.flatMap((tensor, step) => {
    const frames: Uint8Array[] = [];
    for (let offsetBytes = 0; offsetBytes === 0 || offsetBytes < tensor.length; offsetBytes += limits.chunkBytes) {
      const payload = tensor.subarray(offsetBytes, offsetBytes + limits.chunkBytes);
      const header: FrameHeader = {
        kind: "tensor",
        word: "int32",
        role: "q",
        session: 1,
        layer: 0,
        part: 0,
        step,
        round: 1,
        rows: 1,
        columns: tensor.length / 4,
        sequence: sequence++,
        payloadBytes: payload.length,
        offsetBytes,
        totalBytes: tensor.length,
      };
      const frame = new Uint8Array(HEADER_BYTES + payload.length);
      encodeHeader(header, frame);
      frame.set(payload, HEADER_BYTES);
      frames.push(frame);
    }
    return frames;
  });
}

const someTensors = fc.array(
  fc.nat(64).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
  { minLength: 1, maxLength: 6 },
);

describe("a stream of frames", () => {
  it("makes its tensors again, wherever in memory its frames lie", () => {
    fc.assert(
      fc.property(someTensors, fc.nat(15), (tensors, offset) => {
        const moved = framesOf(tensors).map((frame) => {
          const larger = new Uint8Array(offset + frame.length);
          larger.set(frame, offset);
          return larger.subarray(offset);
        });
        const { tensors: made, faults } = read(moved);
        assert.deepEqual(faults, []);
        assert.deepEqual(
          made.map((bytes) => [...bytes]),
          tensors.map((bytes) => [...bytes]),
        );
        assert.ok(made.every(({ byteOffset }) => byteOffset % 4 === 0));
      }),
      runs(200),
    );
  });

  it("loses, repeats or swaps no frame unnoticed", () => {
    const edit = fc.record({ act: fc.constantFrom("lose", "repeat", "swap"), at: fc.nat() });
    fc.assert(
      fc.property(someTensors, edit, (tensors, { act, at }) => {
        const frames = framesOf(tensors);
        const i = at % frames.length;
        // The end of a stream without its last frame is not wrong yet.
        if (act === "lose" && i < frames.length - 1) frames.splice(i, 1);
        else if (act === "repeat") frames.splice(i, 0, frames[i]);
        else if (i + 1 < frames.length) [frames[i], frames[i + 1]] = [frames[i + 1], frames[i]];
        else return;
        const { faults } = read(frames);
        assert.equal(faults.length, 1);
        assert.equal(faults[0].code, "WIRE_SEQUENCE");
      }),
      runs(200),
    );
  });

  it("with any bytes changed yields one named error at most, and no more bytes than it had", () => {
    const edit = fc.record({ frame: fc.nat(), at: fc.nat(HEADER_BYTES + 63), byte: fc.nat(255) });
    fc.assert(
      fc.property(someTensors, fc.array(edit, { minLength: 1, maxLength: 5 }), (tensors, edits) => {
        const frames = framesOf(tensors);
        const length = frames.reduce((sum, frame) => sum + frame.length, 0);
        for (const { frame, at, byte } of edits) {
          const changed = frames[frame % frames.length];
          if (at < changed.length) changed[at] = byte;
        }
        const { tensors: made, faults } = read(frames);
        assert.ok(faults.length <= 1);
        assert.ok(faults.every((fault) => fault instanceof WireError && fault.code !== "WIRE_HANDLER"));
        assert.ok(made.reduce((sum, bytes) => sum + bytes.length, 0) <= length);
      }),
      runs(1000),
    );
  });
});
