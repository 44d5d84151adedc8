import assert from "node:assert/strict";
import { afterEach, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageKey } from "../../../protocols/wire/endpoint.ts";
import {
  AbortedError,
  ControlError,
  DeadlineError,
  DuplicateMessageError,
  FrameError,
  MailboxFullError,
  OversizedError,
  PeerLostError,
  SendBufferFullError,
  SequenceError,
  UnknownSessionError,
  type WireError,
} from "../../../protocols/wire/errors.ts";
import { wireLimits, type WireLimits } from "../../../protocols/wire/limits.ts";
import { createEndpoint, type PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import type { Link } from "../../../protocols/wire/transport.ts";
import { RawPeer } from "./raw-peer.ts";
import type { TransportSetup } from "./transport-setup.ts";

const LIMITS: Partial<WireLimits> = {
  chunkBytes: 256,
  maxTensorBytes: 2048,
  maxControlBytes: 1024,
  maxUnreadBytes: 4096,
  maxEarlyMessages: 3,
  maxQueuedControls: 4,
  closeMs: 300,
};
const KEY: MessageKey = { session: 1, layer: 0, step: 9, role: "q" };
const ONE = { shape: [1, 1], word: "float" } as const;

/** What a peer does wrong, what the error is called, and what it says. */
const FAULTS: [
  what: string,
  act: (mallory: RawPeer) => void,
  error: abstract new (...args: never[]) => WireError,
  message: RegExp,
][] = [
  [
    "noise",
    (mallory) => mallory.bytes(Buffer.from("GET / HTTP/1.1\r\n\r\n".repeat(5))),
    FrameError,
    /magic: expected 0x52494557, got 0x20544547/,
  ],
  [
    "an empty frame",
    (mallory) => mallory.bytes(new Uint8Array(0)),
    FrameError,
    /length: expected at least 48 bytes, got 0/,
  ],
  [
    "a frame twice",
    (mallory) => {
      mallory.tensor(1);
      mallory.tensor(1, { sequence: mallory.sequence - 1 });
    },
    SequenceError,
    /expected sequence 2, got 1: a frame came twice/,
  ],
  [
    "a gap",
    (mallory) => mallory.tensor(1, { sequence: 5 }),
    SequenceError,
    /expected sequence 1, got 5: a frame is missing/,
  ],
  [
    "a message twice",
    (mallory) => {
      mallory.tensor(1);
      mallory.tensor(1);
    },
    DuplicateMessageError,
    /message q of layer 0, step 0, session 1 from mallory: expected it once, got it twice/,
  ],
  [
    "an oversized frame",
    (mallory) => mallory.bytes(Buffer.alloc(5000)),
    OversizedError,
    /expected at most 256 bytes \(chunkBytes\)/,
  ],
  [
    "a tensor beyond the bound",
    (mallory) => mallory.tensor(1024, {}, 256),
    OversizedError,
    /expected at most 2048 bytes \(maxTensorBytes\), got 4096/,
  ],
  [
    "a middle chunk first",
    (mallory) => mallory.tensor(100, { offsetBytes: 256 }, 144),
    FrameError,
    /expected a tensor's first chunk/,
  ],
  [
    "a chunk twice",
    (mallory) => {
      mallory.tensor(300, {}, 256);
      mallory.tensor(300, {}, 256);
    },
    FrameError,
    /chunk: expected offset 256, got 0/,
  ],
  [
    "another tensor between two chunks",
    (mallory) => {
      mallory.tensor(300, {}, 256);
      mallory.tensor(300, { step: 1 }, 256);
    },
    FrameError,
    /chunk: expected step 0 as in the first chunk, got 1/,
  ],
  [
    "control that is not JSON",
    (mallory) => mallory.controlBytes(Buffer.from("{")),
    ControlError,
    /expected JSON in UTF-8/,
  ],
  [
    "control that is not UTF-8",
    (mallory) => mallory.controlBytes(Buffer.from([0x22, 0xff, 0x22])),
    ControlError,
    /expected JSON in UTF-8/,
  ],
  [
    "control that is no object",
    (mallory) => mallory.controlBytes(Buffer.from("null")),
    ControlError,
    /expected a type of hello/,
  ],
  ["an unknown control type", (mallory) => mallory.control({ type: "drop-tables" }), ControlError, /got "drop-tables"/],
  [
    "a control type of every object",
    (mallory) => mallory.control({ type: "toString" }),
    ControlError,
    /got "toString"/,
  ],
  [
    "control with an unknown field",
    (mallory) => mallory.controlBytes(Buffer.from('{"type":"ping","id":1,"x":2}')),
    ControlError,
    /expected a valid "ping", got: .*x/,
  ],
  [
    "an oversized control message",
    (mallory) => mallory.controlBytes(Buffer.alloc(1025, 32)),
    OversizedError,
    /expected at most/,
  ],
  ["a second hello", (mallory) => mallory.hello("a"), ControlError, /expected hello once, got a second/],
  [
    "more control messages than wait for a handler",
    (mallory) => {
      for (let id = 0; id < 5; id++) mallory.control({ type: "pong", id });
    },
    ControlError,
    /expected at most 4 control messages before a handler/,
  ],
  [
    "more messages of unknown sessions than are held",
    (mallory) => {
      for (let step = 0; step < 4; step++) mallory.tensor(1, { session: 100 + step });
    },
    UnknownSessionError,
    /expected at most 3 messages .*, got 4 messages and 16 bytes, the last from mallory for session 103/,
  ],
  [
    "more unread messages than are kept",
    (mallory) => {
      for (let step = 0; step < 16; step++) mallory.tensor(64, { step: step + 10 });
    },
    MailboxFullError,
    /mailbox of mallory: expected at most 4096 unread bytes/,
  ],
];

/** What becomes of a run when a party breaks the rules, falls silent or dies, on every transport. */
export function faultCompliance(setup: TransportSetup): void {
  const opened: PartyEndpoint[] = [];
  const raw: RawPeer[] = [];

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
    for (const { link } of raw.splice(0)) link.terminate();
  });

  /** "a" accepts "mallory", who is a raw peer, and "witness", an honest endpoint that knows "a" alone. */
  async function trial(
    changes: Partial<WireLimits> = {},
  ): Promise<{ a: PartyEndpoint; witness: PartyEndpoint; mallory: RawPeer }> {
    const limits = { ...LIMITS, ...changes };
    const transport = setup.transport(limits);
    const listen = setup.listenAddress();
    const a = await createEndpoint({
      transport,
      limits,
      party: "a",
      peers: { mallory: "accept", witness: "accept" },
      listen,
    });
    const witness = await createEndpoint({ transport, limits, party: "witness", peers: { a: "dial" } });
    opened.push(a, witness);
    const address = a.address as string;
    const mallory = new RawPeer(await transport.dial(address, 20_000), "mallory", wireLimits(limits));
    raw.push(mallory);
    mallory.hello("a");
    await Promise.all([a.connect(), witness.connect({ a: address })]);
    return { a, witness, mallory };
  }

  for (const [what, act, error, message] of FAULTS) {
    it(`ends the run on ${what}, everywhere, naming peer and fault`, async () => {
      const { a, witness, mallory } = await trial();
      a.openSession(1);
      const pending = a.receive("witness", KEY, ONE);
      const witnessed = witness.receive("a", KEY, ONE);
      act(mallory);
      await assert.rejects(pending, (thrown: unknown) => {
        assert.ok(thrown instanceof error, String(thrown));
        assert.match(thrown.message, message);
        assert.equal(thrown.peer, "mallory");
        return true;
      });
      await assert.rejects(witnessed, (thrown: unknown) => {
        assert.ok(thrown instanceof AbortedError);
        assert.match(thrown.reason, message);
        assert.equal(thrown.peer, "mallory");
        return true;
      });
      // The one at fault is told too, before its link closes; where ws itself refuses, by RFC 6455's code for "too big".
      await mallory.until(() => mallory.ended !== null);
      const abort = mallory.heard.find(({ type }) => type === "abort");
      if (abort) assert.match(String(abort.reason), message);
      else assert.equal(mallory.ended, "closed with code 1009");
    });
  }

  it("closes the link of a stranger that does not say hello, and goes on", async () => {
    const { a, witness } = await trial({ handshakeMs: 60 });
    const stranger = new RawPeer(await a.transport.dial(a.address as string, 20_000), "eve", wireLimits(LIMITS));
    raw.push(stranger);
    await stranger.until(() => stranger.ended !== null);
    const rude = new RawPeer(await a.transport.dial(a.address as string, 20_000), "eve", wireLimits(LIMITS));
    raw.push(rude);
    rude.tensor(1);
    await rude.until(() => rude.ended !== null);
    assert.match(String(rude.heard.find(({ type }) => type === "abort")?.reason), /expected hello first, got a tensor/);
    assert.equal(a.failure, null);
    await witness.send("a", KEY, { data: Float32Array.of(1), shape: [1, 1] });
    await a.receive("witness", KEY, ONE);
  });

  it("takes no more strangers at once than the bound", async () => {
    const { a } = await trial({ maxPendingLinks: 2 });
    const strangers: RawPeer[] = [];
    for (let i = 0; i < 3; i++)
      strangers.push(new RawPeer(await a.transport.dial(a.address as string, 20_000), "eve", wireLimits(LIMITS)));
    raw.push(...strangers);
    await strangers[2].until(() => strangers[2].ended !== null);
    assert.deepEqual([strangers[0].ended, strangers[1].ended, a.failure], [null, null, null]);
  });

  it("gives up on a dialled party that takes the link and says nothing", async () => {
    const limits = { handshakeMs: 60 };
    const transport = setup.transport(limits);
    const mute: Link[] = [];
    const listener = await transport.listen(setup.listenAddress(), (link) => mute.push(link));
    const a = await createEndpoint({ transport, limits, party: "a", peers: { mute: "dial" } });
    opened.push(a);
    await assert.rejects(a.connect({ mute: listener.address }), (error: unknown) => {
      assert.ok(error instanceof DeadlineError);
      assert.match(error.message, /handshake of a with mute: expected hello within 60 ms, got none/);
      assert.equal(error.peer, "mute");
      return true;
    });
    for (const link of mute) link.terminate();
    await listener.close();
  });

  it("tells a party that waits for nothing", async () => {
    const { witness, mallory } = await trial();
    const told = new Promise<[string, Error]>((resolve) =>
      witness.onPeerLost((peer, reason) => resolve([peer, reason])),
    );
    mallory.bytes(new Uint8Array(3));
    const [peer, reason] = await told;
    assert.equal(peer, "a");
    assert.ok(reason instanceof AbortedError && reason.peer === "mallory");
    assert.equal(witness.failure, reason);
    await assert.rejects(witness.send("a", KEY, { data: Float32Array.of(1), shape: [1, 1] }), AbortedError);
  });

  it("refuses a second link of one party, and keeps the first", async () => {
    const { a, mallory } = await trial();
    const second = new RawPeer(await a.transport.dial(a.address as string, 20_000), "mallory", wireLimits(LIMITS));
    raw.push(second);
    second.hello("a");
    await second.until(() => second.ended !== null);
    assert.match(
      String(second.heard.find(({ type }) => type === "abort")?.reason),
      /expected one link with mallory, got a second/,
    );
    mallory.tensor(1);
    await a.receive("mallory", { ...KEY, step: 0 }, ONE);
    assert.equal(a.failure, null);
  });

  it("names a peer that dies in the middle of a tensor, at once", async () => {
    const { a, witness, mallory } = await trial();
    const pending = a.receive("mallory", { ...KEY, step: 0 }, { shape: [1, 300], word: "float" });
    const witnessed = witness.receive("a", KEY, ONE);
    mallory.tensor(300, {}, 256);
    await sleep(50);
    const start = performance.now();
    mallory.link.terminate();
    await assert.rejects(pending, (error: unknown) => {
      assert.ok(error instanceof PeerLostError);
      assert.match(error.message, /peer mallory: expected a goodbye, got its link .*, in the middle of a tensor/);
      assert.equal(error.peer, "mallory");
      return true;
    });
    await assert.rejects(witnessed, (error: unknown) => error instanceof AbortedError && error.peer === "mallory");
    assert.ok(performance.now() - start < 5000);
  });

  it("names a peer that falls silent on an open link", async () => {
    const { a, witness } = await trial({ silentLoopbackMs: 150 });
    const witnessed = witness.receive("a", KEY, ONE);
    const lost = new Promise<[string, Error]>((resolve) => a.onPeerLost((peer, reason) => resolve([peer, reason])));
    const start = performance.now();
    const [peer, reason] = await lost;
    assert.equal(peer, "mallory");
    assert.ok(reason instanceof PeerLostError);
    assert.match(reason.message, /peer mallory: expected a heartbeat within 150 ms, got silence on an open link/);
    await assert.rejects(witnessed, (error: unknown) => error instanceof AbortedError && error.peer === "mallory");
    assert.ok(performance.now() - start < 5000);
  });

  it("does not lose a peer that is idle, or whose process computes, or whom we do not read", async () => {
    const limits = { silentLoopbackMs: 150, unreadHighWaterBytes: 1024 };
    const transport = setup.transport(limits);
    const a = await createEndpoint({
      transport,
      limits,
      party: "a",
      peers: { b: "accept" },
      listen: setup.listenAddress(),
    });
    const b = await createEndpoint({ transport, limits, party: "b", peers: { a: "dial" } });
    opened.push(a, b);
    await Promise.all([a.connect(), b.connect({ a: a.address as string })]);
    await sleep(400);
    const heartbeats = a.counters.snapshot().heartbeats.find(({ direction }) => direction === "received");
    assert.ok((heartbeats?.messages ?? 0) > 0);
    // Both loops stand still for longer than the deadline: neither counts that time.
    for (const end = performance.now() + 400; performance.now() < end;);
    await sleep(50);
    for (let step = 0; step < 8; step++)
      await b.send("a", { ...KEY, step }, { data: new Float32Array(64), shape: [1, 64] });
    await sleep(400);
    for (let step = 0; step < 8; step++) await a.receive("b", { ...KEY, step }, { shape: [1, 64], word: "float" });
    assert.equal(a.failure, null);
    assert.equal(b.failure, null);
  });

  it("refuses to pile up more than the bound for a peer that does not read", async () => {
    const { a, mallory } = await trial({
      chunkBytes: 1 << 20,
      maxTensorBytes: 1 << 20,
      maxUnsentBytes: 1 << 20,
      closeMs: 50,
    });
    mallory.link.pause();
    const sends = Array.from({ length: 64 }, (_, step) =>
      a.send("mallory", { ...KEY, step }, { data: new Float32Array(1 << 18), shape: [1, 1 << 18] }),
    );
    const refused = await firstRejection(sends);
    assert.ok(refused instanceof SendBufferFullError, String(refused));
    assert.match(refused.message, /link to mallory: expected at most 1048576 unsent bytes \(maxUnsentBytes\)/);
    mallory.link.resume();
  });
}

function firstRejection(promises: Promise<void>[]): Promise<unknown> {
  return new Promise((resolve) => {
    for (const promise of promises) promise.catch(resolve);
  });
}
