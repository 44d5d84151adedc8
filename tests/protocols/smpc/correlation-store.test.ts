/** Batches of correlations are used once: in memory, on disk, after a restart, and by whoever asks. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import {
  CorrelationError,
  type BatchLabel,
  type CorrelationStore,
} from "../../../protocols/smpc/run/correlation-store.ts";
import { FileCorrelationStore } from "../../../protocols/smpc/run/file-correlation-store.ts";
import { MemoryCorrelationStore } from "../../../protocols/smpc/run/memory-correlation-store.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const LABEL: BatchLabel = { batch: "17/0/3", plan: "abcd", party: 1 };
const WORDS = Uint8Array.from({ length: 5000 }, (_, i) => i * 31);

describe("correlation stores", async () => {
  const scratch = await scratchFolder();
  let folders = 0;
  const folder = (): string => path.join(scratch.path, `correlations-${folders++}`);
  const stores: readonly (readonly [string, () => CorrelationStore])[] = [
    ["in memory", () => new MemoryCorrelationStore()],
    ["on disk", () => new FileCorrelationStore(folder())],
  ];
  for (const [where, make] of stores) {
    it(`${where}: give each batch once`, async () => {
      const store = make();
      await store.put(LABEL, WORDS);
      await store.put({ ...LABEL, batch: "17/0/4" }, new Uint8Array(0));
      assert.deepEqual([...(await store.take(LABEL))], [...WORDS]);
      await refused(
        store.take(LABEL),
        "batch 17/0/3: expected one that is not used, got one that was used; a step that is tried again needs a new one",
      );
      assert.equal((await store.take({ ...LABEL, batch: "17/0/4" })).length, 0);
    });

    it(`${where}: refuse a batch that comes twice, used or not`, async () => {
      const store = make();
      await store.put(LABEL, WORDS);
      const twice = "batch 17/0/3: expected it to be dealt once, got it a second time";
      await refused(store.put(LABEL, WORDS), twice);
      await store.take(LABEL);
      await refused(store.put(LABEL, WORDS), twice);
      await refused(store.take(LABEL), /got one that was used/);
    });

    it(`${where}: refuse unknown batches, and those of other plans, parties and sessions`, async () => {
      const store = make();
      await refused(
        store.take(LABEL),
        "batch 17/0/3: expected one that was dealt to this party, got none of that name",
      );
      await store.put(LABEL, WORDS);
      await refused(store.take({ ...LABEL, batch: "18/0/3" }), /batch 18\/0\/3: .* got none of that name/);
      await refused(
        store.take({ ...LABEL, plan: "beef" }),
        "batch 17/0/3: expected one dealt for plan beef, got one for plan abcd",
      );
      await refused(
        store.take({ ...LABEL, party: 0 }),
        "batch 17/0/3: expected one dealt for party 0, got one for party 1",
      );
      assert.equal((await store.take(LABEL)).length, WORDS.length, "a refusal uses nothing");
    });

    it(`${where}: give a batch to one of many that ask at once`, async () => {
      const store = make();
      await store.put(LABEL, WORDS);
      const asked = await Promise.allSettled(Array.from({ length: 20 }, () => store.take(LABEL)));
      assert.equal(asked.filter(({ status }) => status === "fulfilled").length, 1);
      for (const each of asked) if (each.status === "rejected") assert.ok(each.reason instanceof CorrelationError);
    });
  }

  it("on disk: a batch that was used is used for the next process too, and its words are gone", async () => {
    const at = folder();
    await new FileCorrelationStore(at).put(LABEL, WORDS);
    assert.equal((await new FileCorrelationStore(at).take(LABEL)).length, WORDS.length, "dealt before a restart");
    await refused(new FileCorrelationStore(at).take(LABEL), /got one that was used/);
    const [name, ...others] = await readdir(at);
    assert.deepEqual(others, []);
    const left = await readFile(path.join(at, name));
    assert.equal(left.length, 1024, "only the label");
    assert.ok(!left.includes(Buffer.from(WORDS.subarray(0, 16))));
  });

  it("on disk: one of two processes that race for a batch gets it", async () => {
    const at = folder();
    await new FileCorrelationStore(at).put(LABEL, WORDS);
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => new FileCorrelationStore(at).take(LABEL)));
    assert.equal(asked.filter(({ status }) => status === "fulfilled").length, 1);
  });

  it("on disk: a batch that was cut is used up and refused", async () => {
    const at = folder();
    const store = new FileCorrelationStore(at);
    await store.put(LABEL, WORDS);
    const [name] = await readdir(at);
    const file = path.join(at, name);
    await writeFile(file, (await readFile(file)).subarray(0, 3000));
    await refused(store.take(LABEL), "batch 17/0/3: expected 5000 bytes, got 1976");
    await refused(store.take(LABEL), /got one that was used/);
  });
});

async function refused(promise: Promise<unknown>, message: string | RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof CorrelationError, String(error));
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  });
}
