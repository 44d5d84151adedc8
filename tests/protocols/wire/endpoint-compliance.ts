import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ControlMessage, WireWord } from "../../../protocols/wire/endpoint.ts";
import {
  DeadlineError,
  DuplicateMessageError,
  Float16RangeError,
  SessionClosedError,
  ShapeError,
} from "../../../protocols/wire/errors.ts";
import { HEADER_BYTES } from "../../../protocols/wire/frame.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { deferred } from "./deferred.ts";
import { endpointPair, floats, key, row } from "./endpoint-pair.ts";
import type { TransportSetup } from "./transport-setup.ts";

/** What every pair of endpoints does on every transport, once it is linked. */
export function endpointCompliance(setup: TransportSetup): void {
  const { pair, twoEndpoints } = endpointPair(setup);

  const VALUES = [0, -0, 1.5, -Infinity, Infinity, NaN, 65_504, 2 ** -24];

  for (const word of ["float64", "float32", "float16"] as const satisfies WireWord[]) {
    it(`carries ${word}, specials included, into aligned arrays`, async () => {
      const [a, b] = await pair({ word });
      const source = word === "float64" ? Float64Array : Float32Array;
      for (const [step, values] of [VALUES, VALUES.slice(0, 3), [], VALUES.slice(0, 1)].entries()) {
        await b.send("a", key({ step }), { data: source.from(values), shape: [1, values.length] });
        const { data, shape } = await a.receive("b", key({ step }), row(values.length));
        assert.ok(data instanceof source);
        assert.deepEqual([...data], values);
        assert.deepEqual(shape, [1, values.length]);
      }
    });
  }

  it("refuses a value that float16 can't hold before anything of it leaves", async () => {
    const [a, b] = await pair({ word: "float16", limits: { chunkBytes: 64 } });
    const data = Float32Array.from({ length: 100 }, (_, i) => (i === 90 ? -70_000 : i));
    await assert.rejects(a.send("b", key({ layer: 3 }), { data, shape: [1, 100] }), (error: unknown) => {
      assert.ok(error instanceof Float16RangeError);
      assert.match(
        error.message,
        /^message q to b, layer 3, step 0: expected values within 65504, .*, got one beyond; use --wire float32$/,
      );
      return true;
    });
    await a.send("b", key({ layer: 4 }), { data: data.subarray(0, 90), shape: [1, 90] });
    assert.deepEqual((await b.receive("a", key({ layer: 4 }), row(90))).data, data.subarray(0, 90));
  });

  it("carries int32 whatever the word of floats", async () => {
    const [a, b] = await pair({ word: "float16" });
    const data = Int32Array.from([-(2 ** 31), -1, 0, 49_151, 2 ** 31 - 1]);
    await a.send("b", key({ role: "ids", layer: -1 }), { data, shape: [5, 1] });
    const received = await b.receive("a", key({ role: "ids", layer: -1 }), { shape: [5, 1], word: "int32" });
    assert.deepEqual(received.data, data);
  });

  it("carries bytes as they are, in chunks and by part, and counts each once", async () => {
    const [a, b] = await pair({ word: "float16", limits: { chunkBytes: 64 } });
    const parts = [0, 1, 5, 64, 65, 1001].map((length, part) => Uint8Array.from({ length }, (_, i) => i * 7 + part));
    const keyOf = (part: number) => key({ role: "opened", part });
    const sends = parts.map((data, part) => a.send("b", keyOf(part), { data, shape: [1, data.length] }));
    for (const part of [5, 4, 3, 2, 1, 0]) {
      const received = await b.receive("a", keyOf(part), { shape: [1, parts[part].length], word: "uint8" });
      assert.ok(received.data instanceof Uint8Array);
      assert.deepEqual([...received.data], [...parts[part]]);
    }
    await Promise.all(sends);
    const [sent] = a.counters.snapshot().tensors;
    assert.equal(sent.phase, "online");
    assert.equal(sent.messages, parts.length);
    assert.equal(sent.payloadBytes, 0 + 1 + 5 + 64 + 65 + 1001);
    await assert.rejects(
      b.receive("a", keyOf(3), { shape: [1, 64], word: "uint8" }),
      (error: unknown) =>
        error instanceof DuplicateMessageError && /opened of layer 0, step 0, part 3/.test(error.message),
    );
  });

  it("rounds float64 to float32 where a session says so, and refuses a word that the receiver does not expect", async () => {
    const [a, b] = await pair({ word: "float64" });
    for (const endpoint of [a, b]) endpoint.openSession(2, { word: "float32" });
    await a.send("b", key({ session: 2 }), { data: Float64Array.of(0.1), shape: [1, 1] });
    assert.deepEqual((await b.receive("a", key({ session: 2 }), row(1))).data, Float32Array.of(0.1));
    a.openSession(3, { word: "float16" });
    await a.send("b", key({ session: 3 }), floats(1));
    await assert.rejects(b.receive("a", key({ session: 3 }), row(1)), (error: unknown) => {
      assert.ok(error instanceof ShapeError);
      assert.match(
        error.message,
        /q of layer 0, step 0, session 3 from a: expected \[1, 1\] float64, got \[1, 1\] float16/,
      );
      return true;
    });
  });

  it("delivers by key in any order of receives", async () => {
    const [a, b] = await pair();
    const steps = Array.from({ length: 20 }, (_, step) => step);
    const early = steps.slice(10).map((step) => a.receive("b", key({ step }), row(1)));
    for (const step of steps) await b.send("a", key({ step }), floats(step));
    const late = steps.slice(0, 10).reverse();
    for (const step of late) assert.equal((await a.receive("b", key({ step }), row(1))).data[0], step);
    assert.deepEqual(
      (await Promise.all(early)).map(({ data }) => data[0]),
      steps.slice(10),
    );
  });

  it("keeps every message's own values when many of many sizes are on their way, both ways", async () => {
    const [a, b] = await pair();
    const sizes = [1, 600, 9216, 70_000, 30, 20_000];
    const steps = Array.from({ length: 120 }, (_, step) => step);
    const valuesOf = (step: number, sign: number) =>
      Float32Array.from({ length: sizes[step % sizes.length] }, (_, i) => sign * (step + i / 1024));
    const exchange = async (self: PartyEndpoint, peer: string, sign: number): Promise<void> => {
      const sends = steps.map((step) => {
        const data = valuesOf(step, sign);
        return self.send(peer, key({ step }), { data, shape: [1, data.length] });
      });
      for (const step of steps) {
        const expected = valuesOf(step, -sign);
        const { data } = await self.receive(peer, key({ step }), row(expected.length));
        assert.equal(
          Buffer.compare(Buffer.from(data.buffer, data.byteOffset, data.byteLength), Buffer.from(expected.buffer)),
          0,
        );
      }
      await Promise.all(sends);
    };
    await Promise.all([exchange(a, "b", 1), exchange(b, "a", -1)]);
  });

  it("cuts large tensors into chunks, between which control messages pass", async () => {
    const [a, b] = await pair({ limits: { chunkBytes: 1024, highWaterBytes: 2048 } });
    const data = Float32Array.from({ length: 40_001 }, (_, i) => i);
    const answered = deferred<ControlMessage>();
    b.onControl((_peer, message) => answered.resolve(message));
    const order: string[] = [];
    const sending = b.send("a", key(), { data, shape: [1, data.length] });
    await b.sendControl("a", { type: "ping", id: 7 });
    void answered.promise.then(() => order.push("pong"));
    const received = await a.receive("b", key(), row(data.length));
    order.push("tensor");
    await sending;
    assert.deepEqual(received.data, data);
    assert.deepEqual(await answered.promise, { type: "pong", id: 7 });
    const [sent] = b.counters.snapshot().tensors;
    assert.equal(sent.messages, 1);
    assert.equal(sent.payloadBytes, data.byteLength);
    // Every chunk has a frame header and a WebSocket header; the pong overtook most of them.
    assert.ok(sent.framingBytes >= Math.ceil(data.byteLength / 1024) * (HEADER_BYTES + 6));
    assert.ok(order.includes("pong"), "the pong came while the tensor was on its way");
  });

  it("keeps chunked and whole tensors apart when they are sent at once", async () => {
    const [a, b] = await pair({ limits: { chunkBytes: 64, highWaterBytes: 128 } });
    const sizes = [100, 3, 16, 17, 400, 1];
    await Promise.all(
      sizes.map((size, step) => b.send("a", key({ step }), floats(...Array.from({ length: size }, () => step)))),
    );
    for (const [step, size] of sizes.entries()) {
      const { data } = await a.receive("b", key({ step }), row(size));
      assert.ok(data.every((value) => value === step));
    }
  });

  it("stops reading from a peer whose messages nobody takes, so that its sends wait, and loses none", async () => {
    const columns = 64 * 1024;
    const count = 160;
    const limits = { highWaterBytes: 1 << 20, unreadHighWaterBytes: 2 << 20 };
    const [a, b] = await pair({ limits });
    let sent = 0;
    const sending = (async () => {
      const data = new Float32Array(columns);
      for (let step = 0; step < count; step++) {
        await b.send("a", key({ step }), { data: data.fill(step), shape: [1, columns] });
        sent++;
      }
    })();
    await waitUntilStill(() => sent);
    assert.ok(sent < count, `sent ${sent} of ${count}`);
    const received = a.counters.snapshot().tensors[0].payloadBytes;
    assert.ok(received < limits.unreadHighWaterBytes + 4 * columns * 4, `received ${received}`);
    for (let step = 0; step < count; step++) {
      const { data } = await a.receive("b", key({ step }), row(columns));
      assert.ok(data[0] === step && data[columns - 1] === step);
    }
    await sending;
  });

  it("reads on past the bound while somebody waits for a later message of that peer", async () => {
    const [a, b] = await pair({ limits: { unreadHighWaterBytes: 4096 } });
    const last = a.receive("b", key({ step: 99 }), row(1));
    for (let step = 0; step < 100; step++)
      await b.send("a", key({ step, role: step === 99 ? "q" : "kv" }), floats(step));
    assert.equal((await last).data[0], 99);
  });

  it("counts alike at both ends, in both directions", async () => {
    const [a, b] = await pair();
    await a.send("b", key({ role: "ids", layer: -1 }), { data: new Int32Array(9), shape: [9, 1] });
    await b.send("a", key({ layer: 2 }), { data: new Float32Array(20_000), shape: [100, 200] });
    await b.receive("a", key({ role: "ids", layer: -1 }), { shape: [9, 1], word: "int32" });
    await a.receive("b", key({ layer: 2 }), { shape: [100, 200], word: "float" });
    const strip = (endpoint: PartyEndpoint, direction: string) =>
      endpoint.counters
        .snapshot()
        .tensors.filter((count) => count.direction === direction)
        .map(({ peer: _peer, direction: _direction, ...rest }) => rest);
    assert.deepEqual(strip(a, "sent"), strip(b, "received"));
    assert.deepEqual(strip(b, "sent"), strip(a, "received"));
    // 80 000 bytes need the longest WebSocket header (10 bytes) and, from the dialling end, a mask (4).
    assert.equal(strip(b, "sent")[0].framingBytes, HEADER_BYTES + 14);
    assert.equal(strip(a, "sent")[0].framingBytes, HEADER_BYTES + 2);
  });

  it("counts rounds by dependency", async () => {
    const [a, b] = await pair();
    // Two messages that depend on nothing are one round; an answer to them is the next.
    await a.send("b", key({ step: 0 }), floats(1));
    await a.send("b", key({ step: 1 }), floats(1));
    await b.send("a", key({ session: 2 }), floats(1));
    await b.receive("a", key({ step: 0 }), row(1));
    await b.send("a", key({ step: 2 }), floats(1));
    await a.receive("b", key({ step: 2 }), row(1));
    await a.send("b", key({ step: 3 }), floats(1));
    await b.receive("a", key({ step: 3 }), row(1));
    assert.deepEqual(b.counters.snapshot().rounds, { 1: 3, 2: 1 });
  });

  it("delivers control messages in order, also those from before there was a handler", async () => {
    const [a, b] = await pair();
    for (let id = 0; id < 5; id++) await b.sendControl("a", { type: "pong", id });
    await sleep(30);
    const seen: unknown[] = [];
    const all = deferred<void>();
    a.onControl((peer, message) => {
      seen.push([peer, message.id]);
      if (seen.length === 10) all.resolve();
    });
    for (let id = 5; id < 10; id++) await b.sendControl("a", { type: "pong", id });
    await all.promise;
    assert.deepEqual(
      seen,
      Array.from({ length: 10 }, (_, id) => ["b", id]),
    );
  });

  it("sends what was asked for before the link was there", async () => {
    const [a, b] = await twoEndpoints();
    const early = b.send("a", key(), floats(5));
    const received = a.receive("b", key(), row(1));
    await Promise.all([a.connect(), b.connect({ a: a.address as string })]);
    await early;
    assert.equal((await received).data[0], 5);
  });

  it("ends a receive whose message does not come, naming peer and key", async () => {
    const [a] = await pair({ limits: { receiveMs: 80 } });
    const start = performance.now();
    await assert.rejects(a.receive("b", key({ layer: 4 }), row(1)), (error: unknown) => {
      assert.ok(error instanceof DeadlineError);
      assert.match(error.message, /message q of layer 4, step 0, session 1 from b: expected within 80 ms, got nothing/);
      assert.equal(error.peer, "b");
      return true;
    });
    assert.ok(performance.now() - start < 5000);
  });

  it("refuses a tensor of another shape than expected, and a second receive of one message", async () => {
    const [a, b] = await pair();
    await b.send("a", key(), floats(1, 2));
    await assert.rejects(a.receive("b", key(), row(3)), ShapeError);
    await assert.rejects(a.receive("b", key(), row(2)), DuplicateMessageError);
    await assert.rejects(b.send("a", key({ step: 1 }), { data: new Float32Array(3), shape: [2, 2] }), ShapeError);
  });

  it("rejects what waits for a session that closes, and drops and counts what comes after", async () => {
    const [a, b] = await pair();
    const pending = a.receive("b", key(), row(1));
    a.closeSession(1, new Error("the person gave up"));
    await assert.rejects(pending, /the person gave up/);
    await b.send("a", key(), floats(1, 2));
    await b.send("a", key({ session: 2 }), floats(3));
    assert.equal((await a.receive("b", key({ session: 2 }), row(1))).data[0], 3);
    assert.deepEqual(a.counters.snapshot().late, { messages: 1, payloadBytes: 8 });
    await assert.rejects(a.receive("b", key(), row(1)), SessionClosedError);
  });

  it("shows every tensor to the observer before it is judged", async () => {
    const seen: unknown[] = [];
    const [a, b] = await pair({
      onTensorReceived: (peer, { session, role, phase }, { data }) => seen.push([peer, session, role, phase, ...data]),
    });
    await b.send("a", key(), floats(1));
    await b.send("a", key({ session: 77, role: "kv" }), floats(2));
    await a.receive("b", key(), row(1));
    await b.sendControl("a", { type: "ping", id: 1 });
    await new Promise<void>((resolve) => b.onControl(() => resolve()));
    assert.deepEqual(seen, [
      ["b", 1, "q", "pre-pass", 1],
      ["b", 77, "kv", "pre-pass", 2],
    ]);
  });
}

/** Resolves when `value` has not changed for 60 ms. */
async function waitUntilStill(value: () => number): Promise<void> {
  for (let last = -1; value() !== last;) {
    last = value();
    await sleep(60);
  }
}
