/** Sessions behind a public prefix with layers under SMPC: the plain model's rows, at the declared cost, wherever the layers lie. */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { sessionCosts, type SessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { openGolden } from "../../layers/golden-models.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { anyRule } from "../cascade/arbitraries.ts";
import { randomIds } from "../cascade/random-model.ts";
import { fourLayers, rangesOfAll, SMPC_BOUND, walkError, withHybrid, type HybridSetting } from "./smpc-session-run.ts";

const MODEL = fourLayers();
const R: ShardingRule = { rule: "clusters", parts: 3, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 2 };

describe("a session behind a public prefix", async () => {
  const scratch = await scratchFolder();
  process.env.WEIR_CACHE = path.join(scratch.path, "cache");
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const common = { model: MODEL, engine, r: R, s: S, ranges } as const;

  /** The error and the costs of a session on `ids`, the first `prefix` of them public, the last `steps - 1` one by one. */
  async function walk(
    setting: HybridSetting,
    ids: readonly number[],
    prefix: number,
    steps: number,
  ): Promise<{ error: number; costs: SessionCosts; failed: number }> {
    const more = { ...setting.more, maxNewTokens: steps, publicPrefix: ids.slice(0, prefix) };
    return withHybrid({ ...setting, more }, ids.length - steps + 1 - prefix, async (session, deployment) => {
      const error = await walkError(session, setting.model, setting.engine, ids, steps);
      const reports = await session.close();
      const failed = [...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)].length;
      return { error, failed, costs: await sessionCosts(deployment, session, reports, setting.model, steps) };
    });
  }

  it("gives the plain rows for any prefix, placement and shardings, prompt and generation, at the declared cost", async () => {
    const setting = fc.record({
      layers: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
      parties: fc.constantFrom(2, 3),
      dealer: fc.constantFrom("client" as const, "dealer" as const),
      r: anyRule,
      s: anyRule,
      wanted: fc.boolean(),
    });
    const lengths = fc
      .integer({ min: 1, max: 9 })
      .chain((length) => fc.record({ length: fc.constant(length), prefix: fc.integer({ min: 0, max: length - 1 }) }));
    await fc.assert(
      fc.asyncProperty(
        setting,
        lengths,
        fc.integer({ min: 1, max: 3 }),
        fc.nat(100),
        async ({ wanted, ...drawn }, { length, prefix }, steps, seed) => {
          const masked = wanted && shardingFrom(drawn.s).parts > 1;
          const mergeScales = masked ? await mergeScalesOf(MODEL) : null;
          const ids = randomIds(seed, length + steps - 1);
          const { error, costs, failed } = await walk(
            { ...common, ...drawn, more: { mergeScales } },
            ids,
            prefix,
            steps,
          );
          assert.ok(error < SMPC_BOUND, `expected within ${SMPC_BOUND}, got ${error}`);
          assert.equal(failed, 0);
          for (const phase of costs.phases) {
            assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
            assert.equal(phase.messages, phase.expectedMessages, phase.phase);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it("opens and deals for its secret rows alone, and for each public key they attend to an entry a row and head", async () => {
    const online = async (prefix: number): Promise<{ online: number; deal: number }> => {
      const { costs } = await walk({ ...common, layers: [0] }, randomIds(2, prefix + 4), prefix, 1);
      const of = (name: string): number => costs.phases.find(({ phase }) => phase === name)!.payloadBytes;
      return { online: of("online"), deal: of("deal") };
    };
    // Sequences of up to 32 rows have the same wires.
    const [few, more, most] = [await online(14), await online(20), await online(26)];
    assert.ok(more.online > few.online && more.deal > few.deal);
    assert.ok(
      Math.abs(most.online - more.online - (more.online - few.online)) <= 64,
      "expected bytes linear in its length",
    );
    assert.ok(Math.abs(most.deal - more.deal - (more.deal - few.deal)) <= 64, "expected bytes linear in its length");
  });

  for (const name of ["mistral-window", "gemma2", "llama-gqa", "gpt2", "qwen3"])
    it(`gives the plain rows of ${name}, all layers under SMPC, through ONNX Runtime`, async () => {
      const { model, golden } = await openGolden(name);
      const onnx = await onnxEngine(model, { threads: 1 });
      const layers = Array.from({ length: model.spec.layers }, (_, layer) => layer);
      const ids = golden.ids.slice(0, 12);
      const setting = { model, engine: onnx, r: R, s: S, layers, ranges: await rangesOfAll(model) };
      for (const prefix of [1, 7]) {
        const { error, failed } = await walk(setting, ids, prefix, 3);
        assert.ok(error < SMPC_BOUND, `${prefix} public tokens: expected within ${SMPC_BOUND}, got ${error}`);
        assert.equal(failed, 0);
      }
      await onnx.close();
      await model.close();
    });
});
