import assert from "node:assert/strict";
import { afterEach, beforeEach, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError, ListenError } from "../../../protocols/wire/errors.ts";
import type { Link, Listener, Transport } from "../../../protocols/wire/transport.ts";
import { deferred } from "./deferred.ts";
import type { TransportSetup } from "./transport-setup.ts";

/** What every transport's links do, whatever the frames say. */
export function linkCompliance(setup: TransportSetup): void {
  let transport: Transport;
  let listener: Listener;
  let dialling: Link;
  let listening: Link;

  beforeEach(async () => {
    transport = setup.transport({});
    const accepted = deferred<Link>();
    listener = await transport.listen(setup.listenAddress(), accepted.resolve);
    dialling = await transport.dial(listener.address, 20_000);
    listening = await accepted.promise;
  });

  afterEach(async () => {
    dialling.terminate();
    listening.terminate();
    await listener.close();
  });

  it("keeps frames whole and in order, both ways", async () => {
    const sizes = [48, 49, 125, 126, 4096, 65_535, 65_536, 200_000, 50, 1_000_001];
    const ends = [dialling, listening];
    const received = ends.map((end) => collect(end, sizes.length * 3));
    for (let i = 0; i < sizes.length * 3; i++) for (const end of ends) end.send(numbered(i, sizes[i % sizes.length]));
    for (const frames of await Promise.all(received)) {
      assert.deepEqual(
        frames.map((frame) => [frame[0], frame.length]),
        Array.from({ length: sizes.length * 3 }, (_, i) => [i, sizes[i % sizes.length]]),
      );
      assert.ok(frames.every((frame) => frame.every((byte) => byte === frame[0])));
    }
  });

  it("delivers nothing before it is started, and all of it after", async () => {
    for (let i = 0; i < 5; i++) dialling.send(numbered(i, 100));
    await sleep(30);
    const frames = await collect(listening, 5);
    assert.deepEqual(
      frames.map((frame) => frame[0]),
      [0, 1, 2, 3, 4],
    );
  });

  it("lets a sender wait for a slow reader", async () => {
    const frameBytes = 256 * 1024;
    const count = 128;
    let arrived = 0;
    const done = deferred<void>();
    listening.start({ frame: () => ++arrived === count && done.resolve(), broken: done.reject, closed: done.reject });
    listening.pause();
    for (let i = 0; i < count; i++) dialling.send(numbered(i, frameBytes));
    await sleep(50);
    // Sockets' own buffers take a few MiB; a reader that is told to stop may still empty what it has read.
    assert.ok(dialling.unsentBytes > frameBytes, `unsent ${dialling.unsentBytes}`);
    assert.ok(arrived < count / 2, `arrived ${arrived}`);
    let drained = false;
    const draining = dialling.drained(frameBytes).then(() => (drained = true));
    await sleep(30);
    assert.equal(drained, false);
    listening.resume();
    await draining;
    assert.ok(dialling.unsentBytes < frameBytes);
    await done.promise;
    assert.equal(arrived, count);
  });

  it("may be paused by the handler itself and loses nothing", async () => {
    const seen: number[] = [];
    const done = deferred<void>();
    listening.start({
      frame: (frame) => {
        seen.push(frame[0]);
        if (seen.length === 50) done.resolve();
        listening.pause();
        setImmediate(() => listening.resume());
      },
      broken: done.reject,
      closed: done.reject,
    });
    for (let i = 0; i < 50; i++) dialling.send(numbered(i, 500));
    await done.promise;
    assert.deepEqual(
      seen,
      Array.from({ length: 50 }, (_, i) => i),
    );
  });

  it("sends what is queued before it closes, and the other end hears of it once", async () => {
    let reasons = 0;
    const closed = deferred<number>();
    let arrived = 0;
    listening.start({
      frame: () => arrived++,
      broken: closed.reject,
      closed: () => {
        reasons++;
        closed.resolve(arrived);
      },
    });
    for (let i = 0; i < 40; i++) dialling.send(numbered(i, 100_000));
    await dialling.close(2000);
    assert.equal(await closed.promise, 40);
    await sleep(10);
    assert.equal(reasons, 1);
  });

  it("tells the other end of a cut at once", async () => {
    const closed = deferred<string>();
    listening.start({ frame: () => undefined, broken: closed.reject, closed: closed.resolve });
    const start = performance.now();
    dialling.terminate();
    assert.match(await closed.promise, /closed|cut|broken/);
    assert.ok(performance.now() - start < 5000);
  });

  it("does not leave a sender waiting on a link that is gone", async () => {
    listening.pause();
    for (let i = 0; i < 64; i++) dialling.send(numbered(i, 512 * 1024));
    const draining = dialling.drained(1);
    listening.terminate();
    await draining;
    dialling.send(numbered(0, 48));
  });

  it("counts the dialling end's frames as masked, and knows loopback", () => {
    assert.deepEqual([dialling.masked, listening.masked], [true, false]);
    assert.deepEqual([dialling.loopback, listening.loopback], [true, true]);
  });

  it("refuses an address in use", async () => {
    await assert.rejects(
      transport.listen(listener.address, () => undefined),
      (error: unknown) => {
        assert.ok(error instanceof ListenError);
        assert.match(error.message, /expected a free/);
        return true;
      },
    );
  });

  it("dials until a listener is there, and gives up by the deadline", async () => {
    const { address } = listener;
    await listener.close();
    const start = performance.now();
    await assert.rejects(transport.dial(address, 120), ConnectError);
    assert.ok(performance.now() - start < 5000);
    const late = transport.dial(address, 5000);
    await sleep(50);
    const accepted = deferred<Link>();
    listener = await transport.listen(address, accepted.resolve);
    const ends = [await late, await accepted.promise];
    for (const end of ends) end.terminate();
  });
}

function numbered(number: number, length: number): Uint8Array {
  return Buffer.alloc(length, number);
}

function collect(link: Link, count: number): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const frames: Uint8Array[] = [];
    link.start({
      frame: (frame) => {
        // A copy: what a handler keeps is its own, but the check must not depend on that.
        frames.push(new Uint8Array(frame));
        if (frames.length === count) resolve(frames);
      },
      broken: (_kind, fault) => reject(new Error(fault)),
      closed: (reason) => reject(new Error(reason)),
    });
  });
}
