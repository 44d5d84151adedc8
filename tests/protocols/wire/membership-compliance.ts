import assert from "node:assert/strict";
import { it } from "node:test";
import type { EndpointOptions } from "../../../protocols/wire/endpoint-options.ts";
import {
  AbortedError,
  DeadlineError,
  HandshakeError,
  LinkClosedError,
  UnknownPartyError,
} from "../../../protocols/wire/errors.ts";
import { deferred } from "./deferred.ts";
import { endpointPair, floats, key, row } from "./endpoint-pair.ts";
import type { TransportSetup } from "./transport-setup.ts";

/** Whom an endpoint lets in, who leaves and how, on every transport. */
export function membershipCompliance(setup: TransportSetup): void {
  const { openEndpoint, pair, twoEndpoints } = endpointPair(setup);

  it("lets a peer leave in good order: what it sent can be read, what it did not send is refused", async () => {
    const [a, b] = await pair();
    const lost = deferred<[string, Error]>();
    a.onPeerLost((peer, reason) => lost.resolve([peer, reason]));
    const pending = assert.rejects(a.receive("b", key({ step: 1 }), row(1)), LinkClosedError);
    await b.send("a", key(), floats(8));
    await b.close();
    await pending;
    const [peer, reason] = await lost.promise;
    assert.equal(peer, "b");
    assert.ok(reason instanceof LinkClosedError);
    assert.equal((await a.receive("b", key(), row(1))).data[0], 8);
    await assert.rejects(a.send("b", key({ step: 2 }), floats(1)), LinkClosedError);
    assert.equal(a.failure, null);
  });

  it("ends all with the reason of a party that closes for one", async () => {
    const [a, b] = await pair();
    const pending = assert.rejects(a.receive("b", key(), row(1)), (error: unknown) => {
      assert.ok(error instanceof AbortedError);
      assert.equal(error.message, "aborted by b: the model has no layer 31");
      assert.equal(error.peer, "b");
      return true;
    });
    await b.close("the model has no layer 31");
    await pending;
    await assert.rejects(b.send("a", key(), floats(1)), AbortedError);
  });

  const MISMATCHES: [what: string, a: Partial<EndpointOptions>, b: Partial<EndpointOptions>, message: RegExp][] = [
    [
      "model",
      { model: "sha256:aa" },
      { model: "sha256:bb" },
      /model: expected sha256:(aa, got sha256:bb|bb, got sha256:aa)/,
    ],
    [
      "description",
      { description: { attention: { beta: 2, m: 1 }, parts: [[0, 1], [2]] } },
      { description: { attention: { beta: 4, m: 1 }, parts: [[0], [1, 2]] } },
      /description attention\.beta: expected [24], got [24]; description parts: expected \[\[0/,
    ],
    [
      "limits",
      { limits: { chunkBytes: 1024 } },
      { limits: { chunkBytes: 2048 } },
      /limits chunkBytes: expected \d+, got \d+/,
    ],
  ];

  for (const [what, ownA, ownB, message] of MISMATCHES) {
    it(`refuses a peer whose ${what} differs, at both ends, and says in what`, async () => {
      const [a, b] = await twoEndpoints({}, { a: ownA, b: ownB });
      const results = await Promise.allSettled([a.connect(), b.connect({ a: a.address as string })]);
      for (const result of results) {
        assert.equal(result.status, "rejected");
        assert.ok(result.reason instanceof HandshakeError, String(result.reason));
        assert.match(result.reason.message, message);
      }
    });
  }

  it("refuses a party that it does not expect, and goes on", async () => {
    const [a, b] = await twoEndpoints();
    const stranger = await openEndpoint({ transport: a.transport, party: "eve", peers: { a: "dial" } });
    await assert.rejects(stranger.connect({ a: a.address as string }), (error: unknown) => {
      assert.ok(error instanceof HandshakeError);
      assert.match(error.message, /refused: handshake of a: expected one of b, got eve/);
      return true;
    });
    await Promise.all([a.connect(), b.connect({ a: a.address as string })]);
    await assert.rejects(a.send("eve", key(), floats(1)), UnknownPartyError);
    assert.equal(a.failure, null);
  });

  it("refuses to take one party for another", async () => {
    const [a, b] = await twoEndpoints({}, { a: { party: "z" } });
    const results = await Promise.allSettled([a.connect(), b.connect({ a: a.address as string })]);
    for (const [at, result] of results.entries()) {
      assert.equal(result.status, "rejected");
      assert.ok(result.reason instanceof HandshakeError, String(result.reason));
      assert.match(
        result.reason.message,
        at === 0 ? /party it means to reach: expected z, got a/ : /expected party a at .*, got z/,
      );
    }
  });

  it("rejects what waits for a link when there will be none", async () => {
    const [a, b] = await twoEndpoints();
    const waiting = assert.rejects(b.send("a", key(), floats(1)), /the disk is full/);
    await b.close("the disk is full");
    await waiting;
    await a.close();
  });

  it("says who is missing when links do not come", async () => {
    const [a] = await twoEndpoints({ limits: { connectMs: 60 } });
    await assert.rejects(a.connect(), (error: unknown) => {
      assert.ok(error instanceof DeadlineError);
      assert.match(error.message, /links of a: expected all within 60 ms, got none with b/);
      return true;
    });
  });
}
