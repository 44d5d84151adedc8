import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { MessageKey, WireTensor } from "../../../protocols/wire/endpoint.ts";
import {
  DeadlineError,
  DuplicateMessageError,
  MailboxFullError,
  UnknownSessionError,
  WireError,
} from "../../../protocols/wire/errors.ts";
import type { FrameHeader } from "../../../protocols/wire/frame.ts";
import { wireLimits, type WireLimits } from "../../../protocols/wire/limits.ts";
import { Mailbox } from "../../../protocols/wire/mailbox.ts";
import type { Role } from "../../../protocols/wire/messages.ts";
import { runs } from "./property-runs.ts";

/** A message whose one value tells which it is. */
interface Message {
  readonly peer: string;
  readonly key: MessageKey;
  readonly value: number;
}

const ONE = { shape: [1, 1], word: "float" } as const;

function headerOf({ session, layer, step, role }: MessageKey, round = 1): FrameHeader {
  return {
    kind: "tensor",
    word: "float32",
    role,
    session,
    layer,
    part: 0,
    step,
    round,
    rows: 1,
    columns: 1,
    sequence: 0,
    payloadBytes: 4,
    offsetBytes: 0,
    totalBytes: 4,
  };
}

const deliver = (mailbox: Mailbox, { peer, key, value }: Message, round = 1): void =>
  mailbox.deliver(peer, headerOf(key, round), new Uint8Array(Float32Array.of(value).buffer));

const mailboxWith = (limits: Partial<WireLimits> = {}, onLate: (bytes: number) => void = () => undefined): Mailbox =>
  new Mailbox(wireLimits(limits), "float32", onLate);

const aKey = fc.record({
  session: fc.constantFrom(1, 2, 0xffffffff),
  layer: fc.integer({ min: -1, max: 70 }),
  step: fc.nat(3),
  role: fc.constantFrom<Role[]>("q", "kv", "partial"),
});
const someMessages = fc
  .uniqueArray(fc.record({ peer: fc.constantFrom("a", "b", "b 1"), key: aKey }), {
    selector: ({ peer, key }) => JSON.stringify([peer, key.session, key.layer, key.step, key.role]),
    minLength: 1,
    maxLength: 40,
  })
  .map((places): Message[] => places.map((place, value) => ({ ...place, value })));

describe("mailbox", () => {
  it("hands every message to the receive of its key, in any order of arrivals and receives", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), someMessages, async (scheduler, messages) => {
        const mailbox = mailboxWith();
        const received = messages.map(({ peer, key }) =>
          scheduler.schedule(Promise.resolve()).then(() => mailbox.receive(peer, key, ONE, Infinity)),
        );
        const delivered = messages.map((message) =>
          scheduler.schedule(Promise.resolve()).then(() => deliver(mailbox, message)),
        );
        await scheduler.waitAll();
        await Promise.all(delivered);
        const values = (await Promise.all(received)).map(({ data }: WireTensor) => data[0]);
        assert.deepEqual(
          values,
          messages.map(({ value }) => value),
        );
        for (const peer of ["a", "b", "b 1"]) {
          assert.equal(mailbox.unreadBytes(peer), 0);
          assert.equal(mailbox.isAwaited(peer), false);
        }
      }),
      runs(200),
    );
  });

  it("refuses every second message, however late, and every second receive", async () => {
    await fc.assert(
      fc.asyncProperty(someMessages, fc.nat(), async (messages, choice) => {
        const mailbox = mailboxWith();
        const again = messages[choice % messages.length];
        for (const message of messages) deliver(mailbox, message);
        assert.throws(() => deliver(mailbox, again), DuplicateMessageError);
        for (const { peer, key } of messages) await mailbox.receive(peer, key, ONE, Infinity);
        assert.throws(() => deliver(mailbox, again), DuplicateMessageError);
        await assert.rejects(mailbox.receive(again.peer, again.key, ONE, Infinity), DuplicateMessageError);
      }),
      runs(100),
    );
  });

  it("takes as depth the largest round that was received, not that has arrived", async () => {
    const mailbox = mailboxWith();
    const key = (step: number): MessageKey => ({ session: 1, layer: 0, step, role: "q" });
    deliver(mailbox, { peer: "a", key: key(0), value: 0 }, 5);
    deliver(mailbox, { peer: "a", key: key(1), value: 0 }, 9);
    assert.equal(mailbox.open(1).depth, 0);
    await mailbox.receive("a", key(0), ONE, Infinity);
    assert.equal(mailbox.open(1).depth, 5);
    const pending = mailbox.receive("a", key(2), ONE, Infinity);
    deliver(mailbox, { peer: "a", key: key(2), value: 0 }, 3);
    await pending;
    assert.equal(mailbox.open(1).depth, 5);
  });

  it("holds messages of unknown sessions up to its bounds, which opening and closing sessions free", () => {
    for (const limits of [{ maxEarlyMessages: 3 }, { maxEarlyBytes: 12 }]) {
      const mailbox = mailboxWith(limits);
      const send = (session: number, step: number): void =>
        deliver(mailbox, { peer: "a", key: { session, layer: 0, step, role: "q" }, value: 0 });
      for (let step = 0; step < 3; step++) send(1, step);
      mailbox.open(1);
      for (let step = 3; step < 9; step++) send(1, step);
      for (let step = 0; step < 3; step++) send(2, step);
      mailbox.closeSession(2, null);
      for (let step = 0; step < 3; step++) send(3, step);
      assert.throws(() => send(4, 0), UnknownSessionError);
    }
  });

  it("bounds what one peer leaves unread, empty messages included", () => {
    const mailbox = mailboxWith({ maxUnreadBytes: 10_000 });
    mailbox.open(1);
    const flood = (): void => {
      for (let step = 0; step < 100; step++) {
        mailbox.deliver("a", { ...headerOf({ session: 1, layer: 0, step, role: "q" }), rows: 0 }, new Uint8Array(0));
      }
    };
    assert.throws(flood, MailboxFullError);
    deliver(mailbox, { peer: "b", key: { session: 1, layer: 0, step: 0, role: "q" }, value: 1 });
  });

  it("drops and counts messages of closed sessions, of which it remembers so many", () => {
    let late = 0;
    const mailbox = mailboxWith({ maxClosedSessions: 2 }, (bytes) => (late += bytes));
    const send = (session: number, step: number): void =>
      deliver(mailbox, { peer: "a", key: { session, layer: 0, step, role: "q" }, value: 0 });
    for (const session of [1, 2, 3]) {
      mailbox.open(session);
      send(session, 0);
      mailbox.closeSession(session, null);
    }
    assert.equal(mailbox.unreadBytes("a"), 0);
    send(2, 0);
    send(3, 1);
    assert.equal(late, 8);
    send(1, 1);
    assert.equal(late, 8);
    assert.ok(mailbox.unreadBytes("a") > 0, "a forgotten session is an unknown one");
  });

  it("ends receives whose deadline has passed, and no others", async () => {
    const mailbox = mailboxWith();
    const key = (step: number): MessageKey => ({ session: 1, layer: 0, step, role: "q" });
    const short = mailbox.receive("a", key(0), { ...ONE, deadlineMs: 10 }, 10);
    const long = mailbox.receive("a", key(1), ONE, 20);
    mailbox.expire(9);
    mailbox.expire(10);
    await assert.rejects(
      short,
      (error: unknown) => error instanceof DeadlineError && error.message.includes("within 10 ms"),
    );
    deliver(mailbox, { peer: "a", key: key(1), value: 4 });
    assert.equal((await long).data[0], 4);
    // The message that came too late is not lost to who asks again.
    deliver(mailbox, { peer: "a", key: key(0), value: 6 });
    assert.equal((await mailbox.receive("a", key(0), ONE, 99)).data[0], 6);
  });

  it("throws its own errors alone, whatever is delivered, received and closed", async () => {
    const action = fc.record({
      act: fc.constantFrom("deliver", "receive", "close", "expire"),
      peer: fc.constantFrom("a", "b"),
      key: aKey,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const mailbox = mailboxWith({ maxUnreadBytes: 3000, maxEarlyMessages: 5, maxClosedSessions: 1 });
        const pending: Promise<unknown>[] = [];
        for (const { act, peer, key } of actions) {
          try {
            if (act === "deliver") deliver(mailbox, { peer, key, value: 0 });
            else if (act === "receive") pending.push(mailbox.receive(peer, key, ONE, 1).catch(checkKind));
            else if (act === "close") mailbox.closeSession(key.session, null);
            else mailbox.expire(2);
          } catch (error) {
            checkKind(error);
          }
          for (const each of ["a", "b"]) assert.ok(mailbox.unreadBytes(each) >= 0);
        }
        mailbox.expire(2);
        await Promise.all(pending);
      }),
      runs(300),
    );
  });
});

function checkKind(error: unknown): void {
  assert.ok(error instanceof WireError, String(error));
}
