import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { encodeHeader, HEADER_BYTES } from "../../../protocols/wire/frame.ts";
import type { Link, Listener } from "../../../protocols/wire/transport.ts";
import { WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";
import { deferred } from "./deferred.ts";

/** A masked binary WebSocket frame (RFC 6455, section 5.2) around `payload`, of fewer than 65 536 bytes. */
function clientFrame(payload: Uint8Array, firstByte = 0x82): Buffer {
  const mask = Buffer.from("a1b2c3d4", "hex");
  const head = Buffer.alloc(4);
  head[0] = firstByte;
  head[1] = 0x80 | 126;
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at & 3])]);
}

/** A frame with `columns` float32 words, each `value`. */
function tensorFrame(sequence: number, columns: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + columns * 4);
  const shape = { rows: 1, columns, payloadBytes: columns * 4, offsetBytes: 0, totalBytes: columns * 4 };
  encodeHeader(
    {
      kind: "tensor",
      word: "float32",
      role: "q",
      session: 1,
      part: 0,
      layer: 0,
      step: sequence,
      round: 1,
      sequence,
      ...shape,
    },
    bytes,
  );
  new Float32Array(bytes.buffer, HEADER_BYTES).fill(sequence);
  return bytes;
}

describe("a WebSocket's bytes", () => {
  let listener: Listener;
  let socket: Socket;
  let link: Link;
  let frames: Uint8Array[];
  let end = deferred<string>();

  beforeEach(async () => {
    frames = [];
    end = deferred<string>();
    const accepted = deferred<Link>();
    listener = await new WebSocketTransport().listen("ws://127.0.0.1:0", accepted.resolve);
    const { hostname, port } = new URL(listener.address);
    socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    const answer = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
    // The key and its answer are the example of RFC 6455, section 1.3.
    assert.match(answer.toString(), /^HTTP\/1\.1 101 [\s\S]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
    assert.doesNotMatch(answer.toString(), /permessage-deflate/);
    link = await accepted.promise;
    link.start({
      frame: (bytes) => frames.push(new Uint8Array(bytes)),
      broken: (kind, fault) => end.resolve(`${kind}: ${fault}`),
      closed: (reason) => end.resolve(reason),
    });
  });

  afterEach(async () => {
    socket.destroy();
    link.terminate();
    await listener.close();
  });

  const sent = [tensorFrame(0, 3), tensorFrame(1, 500), tensorFrame(2, 0), tensorFrame(3, 77)];
  const stream = Buffer.concat(sent.map((frame) => clientFrame(frame)));

  async function arrive(count: number): Promise<void> {
    while (frames.length < count) await new Promise((resolve) => setImmediate(resolve));
  }

  it("make the same frames merged into one packet", async () => {
    socket.write(stream);
    await arrive(sent.length);
    assert.deepEqual(frames, sent);
  });

  for (const size of [1, 7, 50, 128]) {
    it(`make the same frames split into pieces of ${size}`, async () => {
      socket.setNoDelay(true);
      for (let at = 0; at < stream.length; at += size) {
        socket.write(stream.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await arrive(sent.length);
      assert.deepEqual(frames, sent);
    });
  }

  it("make the same frame from WebSocket fragments", async () => {
    const [frame] = sent;
    socket.write(clientFrame(frame.subarray(0, 20), 0x02));
    socket.write(clientFrame(frame.subarray(20, 50), 0x00));
    socket.write(clientFrame(frame.subarray(50), 0x80));
    await arrive(1);
    assert.deepEqual(frames, [frame]);
  });

  it("end the link where they stop in the middle of a frame", async () => {
    socket.write(stream.subarray(0, stream.length - 100));
    await arrive(3);
    socket.destroy();
    assert.equal(await end.promise, "closed without a goodbye");
    assert.equal(frames.length, 3);
  });

  it("end the link where they are no WebSocket frames", async () => {
    socket.write(Buffer.alloc(64, 0xff));
    assert.match(await end.promise, /^malformed: Invalid WebSocket frame/);
  });

  it("end the link where a frame announces more than the bound, before it is read", async () => {
    const head = Buffer.alloc(14);
    head[0] = 0x82;
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(1n << 40n, 2);
    socket.write(head);
    assert.match(await end.promise, /^oversized: /);
  });
});
