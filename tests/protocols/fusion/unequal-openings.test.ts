/** A party that sends its peers different words: the session ends before the rows are used, with the step and who differs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { hybridGreedy, rangesOfAll, type HybridSetting } from "./smpc-session-run.ts";

const MODEL = randomModel({ seed: 21, layers: 2, kvHeads: 1, group: 2, headDim: 2 });
const TWO: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const IDS = randomIds(6, 5);
const STEPS = 3;
/** In which step a word is changed. */
const STEP = 1;

describe("openings that differ", async () => {
  const engine = await referenceEngine(MODEL);
  const common = { model: MODEL, engine, r: TWO, s: TWO, ranges: await rangesOfAll(MODEL) } as const;

  /** A session in which smpc.0 changes one bit of what it sends to `victims` in a round; what CompNodes sent on in that step. */
  async function run(
    setting: Partial<HybridSetting> & { readonly layers: readonly number[] },
    victims: readonly string[],
  ): Promise<{ outcome: Promise<unknown>; sentOn: string[] }> {
    const sentOn: string[] = [];
    const wrap = (endpoint: Endpoint): Endpoint =>
      withSend(endpoint, (peer, key, tensor) => {
        if (endpoint.party.startsWith("comp.") && key.step === STEP) sentOn.push(`${key.role} of ${endpoint.party}`);
        const isChanged =
          endpoint.party === "smpc.0" &&
          key.role === "opened" &&
          key.step === STEP &&
          key.part === 3 &&
          victims.includes(peer);
        if (!isChanged) return endpoint.send(peer, key, tensor);
        const data = Uint8Array.from(tensor.data as Uint8Array);
        data[0] ^= 1;
        return endpoint.send(peer, key, { ...tensor, data });
      });
    const outcome = hybridGreedy({ ...common, ...setting, options: { wrap } }, IDS, STEPS);
    await outcome.catch(() => {});
    return { outcome, sentOn };
  }

  it("are found by the CompNode that takes the rows", async () => {
    const { outcome, sentOn } = await run({ layers: [0], parties: 3 }, ["smpc.2"]);
    await assert.rejects(
      outcome,
      /comp\.[01]: opened words of step 1, before layer 1: expected the same at all SMPC parties, got different ones at smpc\.0 and smpc\.2, smpc\.1 and smpc\.2; a party sent/,
    );
    assert.deepEqual(sentOn, [], "the rows were not used");
  });

  it("are found by the client, whoever deals", async () => {
    const { outcome } = await run({ layers: [0, 1], parties: 3, dealer: "dealer" }, ["smpc.1"]);
    await assert.rejects(
      outcome,
      /^Error: opened words of step 1, before layer 2: expected the same .* got different ones at smpc\.0 and smpc\.1, smpc\.1 and smpc\.2;/,
    );
  });

  it("are found between two parties where a link changes them", async () => {
    const { outcome } = await run({ layers: [0] }, ["smpc.1"]);
    await assert.rejects(
      outcome,
      /opened words of step 1, before layer 1: .* got different ones at smpc\.0 and smpc\.1;/,
    );
  });

  it("are found where a party sends all its peers other words than it computes with", async () => {
    // The peers agree with one another.
    const { outcome } = await run({ layers: [0], parties: 3 }, ["smpc.1", "smpc.2"]);
    await assert.rejects(outcome, /got different ones at smpc\.0 and smpc\.1, smpc\.0 and smpc\.2;/);
  });

  it("are not there where all keep to the protocol", async () => {
    const { outcome, sentOn } = await run({ layers: [0], parties: 3 }, []);
    await outcome;
    assert.ok(sentOn.length > 0);
  });
});
