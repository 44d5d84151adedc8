import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { shardingFrom, shards, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { gapAndCluster } from "../../../protocols/fusion/record/ledger.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { anyRule } from "../cascade/arbitraries.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { describeSession, shardedGreedy } from "../cascade/whole-model.ts";

const MODEL = {
  seed: 4,
  layers: 2,
  kvHeads: 1,
  group: 2,
  headDim: 2,
  causal: true,
  window: null,
  softCap: null,
  sharpness: 1,
};

describe("exposure ledger", () => {
  it("shows a CompNode its own positions and an AttnNode the union of its two shards, generated tokens included", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyRule,
        anyRule,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 6 }),
        async (r, s, promptLength, steps) => {
          const reports = await run(r, s, promptLength, steps);
          const length = promptLength + steps - 1;
          const bySharding = (rule: ShardingRule): number[][] => shards(shardingFrom(rule), 0, length);
          for (const { party, exposure } of reports) {
            const [kind, j, k] = party.split(".");
            if (kind === "comp") {
              assert.deepEqual(exposure.positions, bySharding(r)[Number(j)], party);
              assert.deepEqual(exposure.kinds.id?.positions ?? [], exposure.positions, party);
            } else {
              const allowed = new Set([...bySharding(s)[Number(j)], ...bySharding(s)[Number(k)]]);
              assert.ok(
                exposure.positions.every((position) => allowed.has(position)),
                party,
              );
              assert.ok(exposure.kinds.id === undefined && exposure.kinds.row === undefined, party);
            }
            const { minGap, maxCluster } = gapAndCluster(exposure.positions);
            assert.deepEqual([exposure.minGap, exposure.maxCluster], [minGap, maxCluster]);
          }
        },
      ),
      { numRuns: 25 },
    );
  });

  it("says which V rows a partial result over a single visible key gives away", async () => {
    // Round robin over four: row 4 sees one key each of shards 1, 2 and 3.
    const r: ShardingRule = { rule: "round-robin", parts: 4 };
    const reports = await run(r, r, 12, 1);
    const { exposure } = reports.find(({ party }) => party === "comp.0")!;
    assert.deepEqual(exposure.positions, [0, 4, 8]);
    assert.deepEqual(exposure.kinds.revealed?.positions, [0, 1, 2, 3]);
    assert.deepEqual([exposure.minGap, exposure.minGapWithRevealed, exposure.maxClusterWithRevealed], [4, 4, 5]);
  });

  it("shows no V row but the own ones where shards begin with pairs, for any R-sharding", async () => {
    const s: ShardingRule = { rule: "pairs-first", of: { rule: "round-robin", parts: 4 } };
    await fc.assert(
      fc.asyncProperty(
        anyRule,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        async (r, n, steps) => {
          for (const { party, exposure } of await run(r, s, n, steps))
            for (const position of exposure.kinds.revealed?.positions ?? [])
              assert.ok(exposure.positions.includes(position), `${party} sees the V row of ${position}`);
        },
      ),
      { numRuns: 15 },
    );
  });

  it("catches a node that sends a row which the schedule does not know", async () => {
    const r: ShardingRule = { rule: "round-robin", parts: 2 };
    const leak = (endpoint: Endpoint): Endpoint => (endpoint.party === "comp.0" ? leaking(endpoint) : endpoint);
    const reports = await run(r, r, 4, 1, leak);
    const { exposure } = reports.find(({ party }) => party === "attn.1.1")!;
    assert.deepEqual(exposure.kinds.unscheduled, { layers: [0], positions: [] });
  });
});

// Helpers

async function run(
  r: ShardingRule,
  s: ShardingRule,
  promptLength: number,
  steps: number,
  wrap?: (endpoint: Endpoint) => Endpoint,
): Promise<readonly PartyReport[]> {
  const model = randomModel(MODEL);
  const engine = await referenceEngine(model);
  const deployment = await inProcessDeployment(
    model,
    engine,
    { alpha: shardingFrom(r).parts, beta: shardingFrom(s).parts },
    { wrap },
  );
  const description = describeSession(model, { r, s }, promptLength, { wire: "float64", maxNewTokens: steps });
  const { reports } = await shardedGreedy(model, engine, deployment, description, randomIds(2, promptLength));
  await deployment.close();
  return reports;
}

/** A CompNode that also sends its query rows where they don't belong. */
function leaking(endpoint: Endpoint): Endpoint {
  return withSend(endpoint, async (peer, key, tensor) => {
    if (key.role === "q" && peer === "attn.0.0" && key.layer === 0) await endpoint.send("attn.1.1", key, tensor);
    await endpoint.send(peer, key, tensor);
  });
}
