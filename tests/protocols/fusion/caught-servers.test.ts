/** Servers that answer wrongly in delegated layers: the client names the one that did, uses nothing of it and asks nobody again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import type { Endpoint, MessageKey } from "../../../protocols/wire/endpoint.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { layersOnShares } from "../../../protocols/fusion/session/layer-placement.ts";
import { hybridGreedy } from "./smpc-session-run.ts";

const MODEL = randomModel({ seed: 22, layers: 2, kvHeads: 1, group: 2, headDim: 4 });
const TWO: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const IDS = randomIds(6, 5);
const STEPS = 3;
/** Of the first of two layers: q, k and v; then o. */
const [PROJECTIONS, OUTPUT] = [0, 1];

/** Changes an answer of a party; null: leaves it as it is. */
type Fault = (party: string, key: MessageKey, data: Uint8Array) => Uint8Array | null;

/** What the client says of a session with a fault, and how many levels it gave numbers for after the wrong answer. */
async function sessionWith(fault: Fault, parties = 2): Promise<{ error: Error | null; askedAfter: number }> {
  let [isWrong, askedAfter] = [false, 0];
  const wrap = (endpoint: Endpoint): Endpoint =>
    withSend(endpoint, async (peer, key, tensor) => {
      if (key.role === "taken" && isWrong) askedAfter++;
      const isAnswer = key.role === "given" || key.role === "ahead";
      const changed = isAnswer ? fault(endpoint.party, key, Uint8Array.from(tensor.data as Uint8Array)) : null;
      if (changed === null) return endpoint.send(peer, key, tensor);
      isWrong = key.role === "given";
      return endpoint.send(peer, key, { ...tensor, data: changed, shape: [1, changed.length] });
    });
  const setting = {
    model: MODEL,
    engine: await referenceEngine(MODEL),
    r: TWO,
    s: TWO,
    parties,
    ...layersOnShares("all=delegated", MODEL.spec.layers),
    options: { wrap },
  };
  const error = await hybridGreedy(setting, IDS, STEPS).then(
    () => null,
    (reason: Error) => reason,
  );
  return { error, askedAfter };
}

const isAt = ({ layer, step, part = 0 }: MessageKey, at: { step: number; part: number }): boolean =>
  layer === 0 && step === at.step && part === at.part;

describe("a server that answers wrongly", () => {
  it("is not found where there is none", async () => {
    assert.equal((await sessionWith(() => null)).error, null);
  });

  it("is named where the top bit of one word is off", async () => {
    const { error, askedAfter } = await sessionWith((party, key, data) => {
      if (party !== "smpc.0" || !isAt(key, { step: 1, part: PROJECTIONS })) return null;
      data[2] ^= 1; // bit 16 of the first word of 17
      return data;
    });
    assert.match(
      String(error),
      /^Error: smpc\.0: expected the products of row 0 with layers\.0\.q\.weight, layers\.0\.k\.weight, layers\.0\.v\.weight, got others; it computes wrong or cheats/,
    );
    assert.equal(askedAfter, 0, "nobody is asked for anything after a wrong answer");
  });

  it("is named where it answered ahead of time", async () => {
    const { error } = await sessionWith((party, key, data) => {
      if (party !== "smpc.2" || !isAt(key, { step: 2, part: OUTPUT })) return null;
      data[1] ^= 0x80;
      return data;
    }, 3);
    assert.match(
      String(error),
      /^Error: smpc\.2: expected the products of row 0 with layers\.0\.o\.weight, got others/,
    );
  });

  it("is named where it says an old answer again", async () => {
    let old: Uint8Array | null = null;
    const { error, askedAfter } = await sessionWith((party, key, data) => {
      if (party !== "smpc.0") return null;
      if (isAt(key, { step: 1, part: OUTPUT })) old = data.slice();
      return isAt(key, { step: 2, part: OUTPUT }) ? old : null;
    });
    assert.match(String(error), /^Error: smpc\.0: expected the products of row 0 with layers\.0\.o\.weight/);
    assert.equal(askedAfter, 0);
  });

  it("is named where two rows are swapped", async () => {
    const { error } = await sessionWith((party, key, data) => {
      if (party !== "smpc.0" || !isAt(key, { step: 0, part: OUTPUT })) return null;
      const rowBytes = 2 * MODEL.spec.width; // words of 16 bits
      const [first, second] = [data.slice(0, rowBytes), data.slice(rowBytes, 2 * rowBytes)];
      data.set(second);
      data.set(first, rowBytes);
      return data;
    });
    assert.match(String(error), /^Error: smpc\.0: expected the products of row [01] with layers\.0\.o\.weight/);
  });

  it("is named where it answers a step with what it answered ahead to another", async () => {
    let other: Uint8Array | null = null;
    const { error } = await sessionWith((party, key, data) => {
      if (party !== "smpc.1" || key.role !== "ahead") return null;
      if (isAt(key, { step: 1, part: OUTPUT })) other = data.slice();
      return isAt(key, { step: 2, part: OUTPUT }) ? other : null;
    });
    assert.match(String(error), /^Error: smpc\.1: expected the products of row 0 with layers\.0\.o\.weight/);
  });

  it("is named where every bit of its answer is set, or none", async () => {
    for (const byte of [0xff, 0]) {
      const { error } = await sessionWith((party, key, data) =>
        party === "smpc.0" && isAt(key, { step: 1, part: PROJECTIONS }) ? data.fill(byte) : null,
      );
      assert.match(String(error), /^Error: smpc\.0: expected the products of row 0/, String(byte));
    }
  });

  for (const party of ["smpc.0", "smpc.1"])
    it(`ends the session where ${party}'s answer is a byte short or long, before anything of it is read`, async () => {
      for (const change of [(data: Uint8Array) => data.slice(1), (data: Uint8Array) => Uint8Array.of(...data, 0)]) {
        const { error, askedAfter } = await sessionWith((name, key, data) =>
          name === party && isAt(key, { step: 1, part: OUTPUT }) ? change(data) : null,
        );
        assert.match(String(error), /expected/);
        assert.equal(askedAfter, 0);
      }
    });
});
