/**
 * Do messages depend on what is secret? For prompts of one length, rows that leave their ranges among them, every SMPC party sends and gets the
 * same messages in the same order of each peer, under the same description. A party that sends what it shouldn't gets no message that an
 * honest session doesn't have, and can't end a session in another's name.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { descriptionHashes } from "../../../protocols/fusion/session/session-description.ts";
import type { ModelRanges } from "../../../protocols/smpc/lowering/ranges.ts";
import type { Endpoint, MessageKey } from "../../../protocols/wire/endpoint.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { hybridGreedy, rangesOfAll, type HybridSetting } from "./smpc-session-run.ts";

const MODEL = randomModel({ seed: 33, layers: 2, kvHeads: 1, group: 2, headDim: 2 });
const TWO: ShardingRule = { rule: "clusters", parts: 2, c: 2 };
const LENGTH = 6;
const STEPS = 2;
const PROMPTS = [...Array.from({ length: 6 }, (_, seed) => randomIds(seed + 1, LENGTH)), Array(LENGTH).fill(3)];

/** Nobody waits long for what never comes. */
const SOON = { idleDeadlineMs: 2000 } as const;

type Hostile = (key: MessageKey, data: Uint8Array) => (readonly [MessageKey, Uint8Array])[];

/** What smpc.0 sends in place of its part of a round; not the same to its two peers, or nobody could tell. */
const HOSTILE: readonly (readonly [string, Hostile])[] = [
  ["a byte too few", (key, data) => [[key, data.subarray(1)]]],
  ["a byte too many", (key, data) => [[key, Uint8Array.of(...data, 0)]]],
  ["random words", (key, data) => [[key, new Uint8Array(randomBytes(data.length))]]],
  [
    "a round twice",
    (key, data) => [
      [key, data],
      [key, data],
    ],
  ],
  [
    "another layer's round",
    (key, data) => [
      [{ ...key, layer: 1 }, data],
      [key, data.subarray(2)],
    ],
  ],
  ["the words of an earlier step", (key, data) => [[{ ...key, step: 0 }, data]]],
];

describe("messages of SMPC sessions", async () => {
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const common = { model: MODEL, engine, r: TWO, s: TWO } as const;

  /** What went between every two parties, in order, sessions' numbers left out; how many rows failed; what all parties agreed on. */
  async function run(
    setting: Pick<HybridSetting, "layers" | "parties" | "dealer" | "ranges">,
    ids: readonly number[],
  ): Promise<{ sent: Record<string, string[]>; failed: number; hashes: Record<string, string> }> {
    const sent: Record<string, string[]> = {};
    const wrap = (endpoint: Endpoint): Endpoint =>
      withSend(endpoint, (peer, key, tensor) => {
        const { role, layer, step, part } = key;
        const link = `${endpoint.party} to ${peer}, ${role}`;
        (sent[link] ??= []).push(JSON.stringify([layer, step, part, tensor.shape, tensor.data.byteLength]));
        return endpoint.send(peer, key, tensor);
      });
    const { reports, session } = await hybridGreedy({ ...common, ...setting, options: { wrap } }, ids, STEPS);
    const failed = [...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)].length;
    return { sent, failed, hashes: descriptionHashes(session.description) };
  }

  for (const [name, setting] of [
    ["all layers, two parties", { layers: [0, 1] }],
    ["layer 0, three parties and a dealer", { layers: [0], parties: 3, dealer: "dealer" }],
  ] as const)
    it(`are the same whatever the prompt is, where rows fail too: ${name}`, async () => {
      // With the first some rows fail, now these and now those; with the second all do.
      for (const factor of [0.55, 0.1]) {
        const results = [];
        for (const ids of PROMPTS) results.push(await run({ ...setting, ranges: narrowed(ranges, factor) }, ids));
        const counts = results.map(({ failed }) => failed);
        if (factor === 0.1) assert.ok(Math.min(...counts) > 0, `failed rows: ${counts.join(", ")}`);
        assert.ok("smpc.0 to smpc.1, opened" in results[0].sent);
        for (const { sent, hashes } of results) {
          assert.deepEqual(sent, results[0].sent);
          assert.deepEqual(hashes, results[0].hashes);
        }
      }
      const whole = await run({ ...setting, ranges }, PROMPTS[0]);
      const longer = await run({ ...setting, ranges }, randomIds(1, LENGTH + 1));
      assert.notDeepEqual(longer.sent, whole.sent, "positive control: another length is seen");
    });

  for (const [what, change] of HOSTILE)
    it(`are no more than an honest session's where smpc.0 opens ${what}`, async () => {
      const setting = { layers: [0], parties: 3, ranges } as const;
      const honest = await run(setting, PROMPTS[0]);
      const allowed = new Set(Object.entries(honest.sent).flatMap(([link, sent]) => sent.map((key) => link + key)));
      const beyond: string[] = [];
      let others = 0;
      const wrap = (endpoint: Endpoint): Endpoint =>
        withSend(endpoint, async (peer, key, tensor) => {
          const { role, layer, step, part } = key;
          if (endpoint.party === "smpc.0") {
            const isChanged = role === "opened" && step === 1 && part === 2;
            for (const [hostileKey, data] of isChanged ? change(key, tensor.data as Uint8Array) : [])
              await endpoint.send(peer, hostileKey, { data, shape: [1, data.length] });
            return isChanged ? undefined : endpoint.send(peer, key, tensor);
          }
          others++;
          const sent = `${endpoint.party} to ${peer}, ${role}${JSON.stringify([layer, step, part, tensor.shape, tensor.data.byteLength])}`;
          if (!allowed.has(sent)) beyond.push(sent);
          return endpoint.send(peer, key, tensor);
        });
      await assert.rejects(hybridGreedy({ ...common, ...setting, more: SOON, options: { wrap } }, PROMPTS[0], STEPS));
      assert.ok(others > 0);
      assert.deepEqual(beyond, []);
    });

  it("name who ended a session, whoever it says it is", async () => {
    const wrap = (endpoint: Endpoint): Endpoint =>
      withSend(endpoint, async (peer, key, tensor) => {
        if (endpoint.party === "smpc.0" && key.role === "opened")
          await endpoint.sendControl("client", {
            type: "session-abort",
            session: key.session,
            party: "smpc.1",
            reason: "out of order",
          });
        return endpoint.send(peer, key, tensor);
      });
    await assert.rejects(
      hybridGreedy({ ...common, layers: [0], ranges, options: { wrap } }, PROMPTS[0], STEPS),
      /^Error: smpc\.0: out of order/,
    );
  });
});

/** Ranges that some rows leave. */
function narrowed(ranges: ModelRanges, factor: number): ModelRanges {
  const sites = Object.entries(ranges.sites).map(([site, range]) => {
    const narrow = { ...range, maxAbs: range.maxAbs * factor };
    return [site, narrow] as const;
  });
  return { ...ranges, sites: Object.fromEntries(sites) };
}
