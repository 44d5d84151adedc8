/** The line between two sockets: bytes in order and whole, not before their time, both ways. */
import assert from "node:assert/strict";
import { connect, createServer, type AddressInfo } from "node:net";
import { it } from "node:test";
import { delayRelay } from "../../experiments/bench/smpc/delay-relay.ts";

const DELAY_MS = 40;

it("holds bytes for the delay and the bandwidth, and keeps their order", async (t) => {
  const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  t.after(() => echo.close());
  const relay = await delayRelay(`ws://127.0.0.1:${(echo.address() as AddressInfo).port}`, {
    delayMs: DELAY_MS,
    megabitsPerSecond: 80, // 10,000 bytes a millisecond
  });
  t.after(() => relay.close());
  const sent = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7 + (at >> 8)) % 251));
  const socket = connect({ port: Number(new URL(relay.address).port), host: "127.0.0.1", allowHalfOpen: true });
  const startedAt = performance.now();
  socket.end(sent);
  const pieces: Buffer[] = [];
  let firstAt = 0;
  for await (const piece of socket) {
    if (pieces.length === 0) firstAt = performance.now();
    pieces.push(piece as Buffer);
  }
  assert.ok(Buffer.concat(pieces).equals(sent));
  // Lower bounds only: a busy machine is later.
  assert.ok(firstAt - startedAt >= 2 * DELAY_MS, `${firstAt - startedAt}`);
  const wholeMs = performance.now() - startedAt;
  assert.ok(wholeMs >= 2 * DELAY_MS + 20, `${wholeMs}`);
});

it("takes ws:// addresses alone", async () => {
  await assert.rejects(delayRelay("http://127.0.0.1:1", { delayMs: 1, megabitsPerSecond: 1 }), /expected a ws:/);
});
