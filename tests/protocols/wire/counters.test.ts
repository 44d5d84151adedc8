import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CounterSnapshot, Counters, networkTotals } from "../../../protocols/wire/counters.ts";
import type { MessageKey, WireWord } from "../../../protocols/wire/endpoint.ts";
import { loopbackNetwork } from "../../../protocols/wire/loopback-network.ts";
import { memoryNetwork } from "../../../protocols/wire/memory-network.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";

const NAMES = ["client", "comp-0", "comp-1", "attn-0-0"];
const LAYERS = 3;
const WIDTH = 24;

/** Two layers of a protocol in shape alone: ids out, q and kv to the AttnNode, partials back, one control message, hidden rows. */
async function pass(network: Map<string, PartyEndpoint>, session: number, word: WireWord): Promise<void> {
  const party = (name: string): PartyEndpoint => network.get(name) as PartyEndpoint;
  const comps = ["comp-0", "comp-1"];
  const rows = (name: string): number => (name === "comp-0" ? 3 : 700);
  const key = (role: MessageKey["role"], layer: number): MessageKey => ({ session, layer, step: 0, role });
  const matrix = (count: number, columns: number) => ({
    data: new Float32Array(count * columns),
    shape: [count, columns] as const,
  });
  for (const endpoint of network.values()) endpoint.openSession(session, { word });

  const client = async (): Promise<void> => {
    for (const name of comps) {
      await party("client").send(name, key("ids", -1), { data: new Int32Array(rows(name)), shape: [rows(name), 1] });
    }
    await party("client").sendControl("attn-0-0", { type: "ping", id: session });
    for (const name of comps)
      await party("client").receive(name, key("hidden", -1), { shape: [rows(name), WIDTH], word: "float" });
  };
  const comp = async (name: string): Promise<void> => {
    await party(name).receive("client", key("ids", -1), { shape: [rows(name), 1], word: "int32" });
    for (let layer = 0; layer < LAYERS; layer++) {
      await party(name).send("attn-0-0", key("q", layer), matrix(rows(name), WIDTH));
      await party(name).send("attn-0-0", key("kv", layer), matrix(rows(name), 2 * WIDTH));
      await party(name).receive("attn-0-0", key("partial", layer), { shape: [rows(name), WIDTH + 4], word: "float" });
    }
    await party(name).send("client", key("hidden", -1), matrix(rows(name), WIDTH));
  };
  const attn = async (): Promise<void> => {
    for (let layer = 0; layer < LAYERS; layer++) {
      for (const name of comps) {
        await party("attn-0-0").receive(name, key("q", layer), { shape: [rows(name), WIDTH], word: "float" });
        await party("attn-0-0").receive(name, key("kv", layer), { shape: [rows(name), 2 * WIDTH], word: "float" });
      }
      for (const name of comps)
        await party("attn-0-0").send(name, key("partial", layer), matrix(rows(name), WIDTH + 4));
    }
  };
  await Promise.all([client(), ...comps.map(comp), attn()]);
}

async function countsOf(network: Map<string, PartyEndpoint>, word: WireWord): Promise<CounterSnapshot[]> {
  await pass(network, 1, word);
  await pass(network, 2, word);
  const snapshots = [...network.values()].map(({ counters }) => counters.snapshot());
  await Promise.all([...network.values()].map((endpoint) => endpoint.close()));
  // Heartbeats follow the clock, not the traffic; what has arrived of the last pong may differ at the moment of asking.
  return snapshots.map(({ heartbeats: _heartbeats, control: _control, ...rest }) => ({
    ...rest,
    heartbeats: [],
    control: [],
  }));
}

describe("counters", () => {
  for (const word of ["float32", "float16"] as const) {
    it(`are the same in memory and over sockets for the same traffic (${word}), chunks included`, async () => {
      const limits = { chunkBytes: 16_384 };
      const inMemory = await countsOf(memoryNetwork(NAMES, { limits }), word);
      const overSockets = await countsOf(await loopbackNetwork(NAMES, { limits }), word);
      assert.deepEqual(overSockets, inMemory);
      const totals = networkTotals(inMemory, 1);
      const rows = 703;
      const bytes = word === "float32" ? 4 : 2;
      assert.equal(totals.payloadBytes, rows * 4 + bytes * rows * (LAYERS * (WIDTH + 2 * WIDTH + WIDTH + 4) + WIDTH));
      assert.equal(totals.messages, 2 + LAYERS * 6 + 2);
      // ids, then q and kv and partials of each layer, then hidden.
      assert.deepEqual(totals.rounds, { 1: 1 + 2 * LAYERS + 1 });
      assert.deepEqual(Object.keys(totals.phases).sort(), ["attention-pass", "input", "output", "pre-pass"]);
    });
  }

  it("give what was sent in all as what was received in all", async () => {
    const snapshots = await countsOf(memoryNetwork(NAMES), "float32");
    const sum = (direction: string): number =>
      snapshots
        .flatMap(({ tensors }) => tensors)
        .filter((count) => count.direction === direction)
        .reduce((total, { payloadBytes, framingBytes }) => total + payloadBytes + framingBytes, 0);
    assert.equal(sum("sent"), sum("received"));
    const totals = networkTotals(snapshots);
    assert.equal(totals.payloadBytes + totals.framingBytes, sum("sent"));
  });

  it("take at most 1 % for framing at the sizes of a real prefill", async () => {
    // 16 rows of SmolLM2's width, as each of 8 CompNodes sends them at 128 tokens: as q, and as kv of 3 heads of 64.
    const network = memoryNetwork(["a", "b"]);
    for (const [role, columns] of [
      ["q", 576],
      ["kv", 384],
    ] as const) {
      const key = { session: 1, layer: 0, step: 0, role };
      await network.get("a")?.send("b", key, { data: new Float32Array(16 * columns), shape: [16, columns] });
      await network.get("b")?.receive("a", key, { shape: [16, columns], word: "float" });
    }
    const { framingBytes, payloadBytes } = networkTotals(
      [...network.values()].map(({ counters }) => counters.snapshot()),
    );
    assert.equal(payloadBytes, 16 * (576 + 384) * 4);
    assert.ok(framingBytes <= payloadBytes / 100, `${framingBytes} of ${payloadBytes}`);
    await Promise.all([...network.values()].map((endpoint) => endpoint.close()));
  });

  it("are plain JSON", () => {
    const counters = new Counters("a");
    counters.countTensor("sent", "b", { session: 1, layer: 0, role: "q", round: 2 }, 8, 52, true);
    counters.countControl("received", "b", 99);
    counters.countHeartbeat("sent", "b", 50);
    counters.countLate(4);
    const snapshot = counters.snapshot();
    assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot);
    const totals = networkTotals([snapshot]);
    assert.deepEqual([totals.controlBytes, totals.heartbeatBytes], [0, 50]);
  });
});
