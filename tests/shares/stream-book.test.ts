import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { StreamBook, type BatchStreams } from "../../shares/stream-book.ts";
import type { Words } from "../../shares/words.ts";

const seed = randomBytes(32);

/** The first words of a stream. */
function words(streams: BatchStreams, purpose: string): string {
  const out: Words = new BigUint64Array(4);
  streams.stream(purpose).fillWords(out, 64);
  return out.join();
}

describe("a book of streams", () => {
  it("gives who has the seed the same streams, by batch and purpose, and all others different ones", () => {
    const [mine, theirs] = [new StreamBook(seed), new StreamBook(Uint8Array.from(seed))];
    const places = ["1/0/0", "1/0/1", "2/0/0"].map((batch) => [mine.batch(batch), theirs.batch(batch)] as const);
    const drawn = places.flatMap(([a, b]) =>
      ["0/mask", "1/mask", "1/low"].map((purpose) => {
        const first = words(a, purpose);
        assert.equal(first, words(b, purpose));
        return first;
      }),
    );
    const other = new StreamBook(randomBytes(32));
    assert.equal(new Set([...drawn, words(other.batch("1/0/0"), "0/mask")]).size, drawn.length + 1);
  });

  it("takes a batch and a purpose of another cut for another stream", () => {
    const cuts = [
      ["a/b", "c"],
      ["a", "b/c"],
      ['a","b', "c"],
      ["a", 'b","c'],
      ["a/b/c", ""],
    ] as const;
    assert.equal(
      new Set(cuts.map(([batch, purpose]) => words(new StreamBook(seed).batch(batch), purpose))).size,
      cuts.length,
    );
  });

  it("refuses a second draw of a batch, and of a purpose in a batch", () => {
    const book = new StreamBook(seed);
    const first = book.batch("7/0/0");
    const second = book.batch("7/0/1");
    words(first, "0/mask");
    words(second, "0/mask");
    assert.throws(
      () => first.stream("0/mask"),
      /^Error: stream 0\/mask of batch 7\/0\/0: expected one draw, got a second/,
    );
    assert.throws(
      () => book.batch("7/0/0"),
      /^Error: batch 7\/0\/0: expected streams that are drawn once, got a second/,
    );
    words(first, "1/mask");
  });

  it("keeps the seed that it was given, whatever becomes of the buffer", () => {
    const buffer = Uint8Array.from(seed);
    const [book, kept] = [new StreamBook(buffer), new StreamBook(seed)];
    buffer.fill(0);
    assert.equal(words(book.batch("b"), "p"), words(kept.batch("b"), "p"));
  });

  it("forgets the purposes of a batch that nobody holds", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const book = new StreamBook(seed);
    const held = book.batch("held");
    const [kept, dropped] = [new WeakRef(held), new WeakRef(book.batch("dropped"))];
    await setImmediate(); // what a WeakRef was made of lives until the end of the job
    collect();
    assert.equal(dropped.deref(), undefined);
    assert.equal(kept.deref(), held);
    assert.throws(() => book.batch("dropped"), /got a second draw/);
  });
});
