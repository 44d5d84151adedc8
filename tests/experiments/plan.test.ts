/** What the planner says ahead of a run is what the run costs and shows, to the byte, the round and the position. */
import { TRADE_NAMES } from "../../protocols/smpc/lowering/trade.ts";
import { allByParties } from "../../protocols/smpc/lowering/evaluators.ts";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { candidatesOf } from "../../experiments/plan/enumerate.ts";
import { Evaluator } from "../../experiments/plan/evaluate.ts";
import { plan, type PlanRequest } from "../../experiments/plan/plan.ts";
import { planRecord } from "../../experiments/plan/plan-record.ts";
import { plannedExposures } from "../../experiments/plan/planned-ledger.ts";
import { modelToPlan } from "../../experiments/plan/planned-model.ts";
import { sumOfParts } from "../../experiments/plan/time-model.ts";
import { referenceEngine } from "../../layers/reference/engine.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { mergeScalesOf } from "../../protocols/cascade/merge-scales.ts";
import { expectedCost } from "../../protocols/fusion/record/expected-cost.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import { parseRunConfig } from "../../protocols/fusion/config/run-config.ts";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { scheduleOf } from "../../protocols/fusion/session/session-description.ts";
import { placementOf } from "../../protocols/fusion/session/smpc-choice.ts";
import { programSetting, SmpcProgram } from "../../protocols/fusion/session/smpc-program.ts";
import { randomIds, randomModel } from "../protocols/cascade/random-model.ts";
import { hybridGreedy, rangesOfAll } from "../protocols/fusion/smpc-session-run.ts";

const MODEL = randomModel({
  seed: 21,
  layers: 4,
  kvHeads: 1,
  group: 2,
  headDim: 4,
  window: 5,
});
const TIME = sumOfParts({ rttMs: 1, mbit: 1000, multiplyAddsPerSecond: 1e10, wordMultiplyAddsPerSecond: 4e8 });
const WORKLOAD = { promptLength: 9, newTokens: 3, precision: "fine", parties: [2, 3] } as const;
const MERGES = ["plain", "masked"] as const;
const CANDIDATES = MERGES.flatMap((merge) =>
  candidatesOf({ layers: 4, promptLength: 9, parties: [2, 3], trades: TRADE_NAMES, merge }),
);

describe("a candidate", async () => {
  const ranges = await rangesOfAll(MODEL);
  const planned = await modelToPlan(MODEL, () => {}, ranges);
  const evaluator = new Evaluator(planned, WORKLOAD, TIME);

  it("costs what a session declares", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...CANDIDATES), async (candidate) => {
        const { cost } = evaluator.evaluate(candidate)!;
        const plain = evaluator.describe(candidate);
        const choice = { dealer: "client", head: false, precision: WORKLOAD.precision } as const;
        const { smpc: shape } = candidate;
        const smpc =
          shape === null
            ? null
            : await placementOf(
                plain,
                MODEL,
                {
                  ...choice,
                  layers: [...shape.layers],
                  ...allByParties(shape.layers.length),
                  parties: shape.parties,
                  trade: shape.trade,
                },
                ranges,
              );
        const description = { ...plain, smpc };
        const program =
          smpc === null
            ? null
            : await SmpcProgram.open(
                MODEL,
                scheduleOf(description, MODEL.spec, MODEL.program),
                programSetting({ ...description, smpc }),
              );
        const phases = expectedCost(description, MODEL, WORKLOAD.newTokens, program);
        for (const figure of ["payloadBytes", "messages", "rounds", "multiplyAdds"] as const)
          assert.equal(
            cost[figure],
            Object.values(phases).reduce((sum, phase) => sum + phase[figure], 0),
            figure,
          );
        assert.equal(cost.dealtBytes, phases.deal.payloadBytes);
        assert.equal(cost.onlineBytes + cost.dealtBytes, cost.payloadBytes);
      }),
      { numRuns: 12 },
    );
  });

  it("shows what the parties' ledgers say after a run", async () => {
    const engine = await referenceEngine(MODEL);
    const ids = randomIds(2, WORKLOAD.promptLength);
    const mergeScales = await mergeScalesOf(MODEL);
    for (const [placement, merge] of [
      ["none", "plain"],
      ["first:1", "plain"],
      ["last:2", "plain"],
      ["0,3", "plain"],
      ["all", "plain"],
      ["none", "masked"],
      ["first:1", "masked"],
      ["0,3", "masked"],
    ] as const) {
      const shape = { alpha: 3, c: 2, m: 2, merge };
      const candidate = CANDIDATES.find(
        ({ cascade, smpc }) =>
          (smpc?.placement ?? "none") === placement &&
          (cascade === null || JSON.stringify(cascade) === JSON.stringify(shape)),
      )!;
      const { r, s } = evaluator.describe(candidate);
      const { layers = [], parties = 2 } = candidate.smpc ?? {};
      const { reports } = await hybridGreedy(
        {
          model: MODEL,
          engine,
          r,
          s,
          layers,
          parties,
          ranges,
          more: { mergeScales: merge === "masked" ? mergeScales : null },
        },
        ids,
        WORKLOAD.newTokens,
      );
      const smpc = candidate.smpc === null ? null : { layers, parties, dealer: "client" as const };
      const schedule = scheduleOf({ ...evaluator.describe(candidate), smpc }, MODEL.spec, MODEL.program);
      const exposures = plannedExposures(schedule);
      const seen = reports.filter(({ exposure }) => Object.keys(exposure.kinds).length > 0);
      assert.ok(seen.length > 0);
      for (const { party, exposure } of seen)
        assert.deepEqual(exposures.get(party), exposure, `${placement} ${merge} ${party}`);
      for (const [party, exposure] of exposures)
        if (!seen.some((report) => report.party === party))
          assert.deepEqual(exposure.kinds, {}, `${placement} ${merge} ${party}`);
      // The worst node of each role.
      const { compNodes, attnNodes, idsSeen } = evaluator.evaluate(candidate)!.exposure;
      for (const [role, shown] of [
        ["comp", compNodes],
        ["attn", attnNodes],
      ] as const) {
        const nodes = seen.filter(({ party }) => party.startsWith(role));
        const clusters = nodes.map(({ exposure }) => exposure.maxClusterWithRevealed);
        assert.equal(shown.maxCluster, Math.max(0, ...clusters), `${placement} ${merge} ${role}`);
        const gaps = nodes
          .map(({ exposure }) =>
            exposure.maxClusterWithRevealed === schedule.length ? 1 : exposure.minGapWithRevealed,
          )
          .filter((gap) => gap !== null);
        assert.equal(shown.minGap, gaps.length === 0 ? null : Math.min(...gaps), `${placement} ${merge} ${role}`);
      }
      assert.equal(
        idsSeen,
        seen.some(({ exposure }) => exposure.kinds.id !== undefined),
      );
    }
  });
});

describe("weir plan for the default model", async () => {
  const request: PlanRequest = {
    promptLength: 12,
    newTokens: 3,
    machines: 9,
    precision: "fine",
    trade: "standard",
    merge: "plain",
    rttMs: 1,
    mbit: 1000,
    multiplyAddsPerSecond: 1e10,
    wordMultiplyAddsPerSecond: 4e8,
  };
  const quiet = (): void => {};
  const [first, masked] = [await plan(request, quiet), await plan({ ...request, merge: "masked" }, quiet)];
  const text = await promptOf(request.promptLength);

  it("gives a record of its schema", () => {
    for (const [record, merge] of [
      [first, "plain"],
      [masked, "masked"],
    ] as const) {
      assert.doesNotThrow(() => planRecord.parse(record));
      assert.deepEqual(record.leftOut, []);
      for (const { machines } of record.front) assert.ok(machines <= 9);
      for (const { cascade } of record.front) assert.ok(cascade === null || cascade.merge === merge);
    }
  });

  for (const [name, merge, wanted] of [
    ["Cascade alone", "plain", "none"],
    ["the first layer under SMPC", "plain", "first:1"],
    ["the first and the last", "plain", "0,7"],
    ["all layers under SMPC", "plain", "all"],
    ["Cascade alone, masked", "masked", "none"],
    ["the first layer under SMPC, the others masked", "masked", "first:1"],
  ] as const)
    it(`says what its config costs and shows when it runs: ${name}`, async () => {
      // The last such point: of several CompNodes, where there are any.
      const planned = merge === "masked" ? masked : first;
      const point = planned.front.findLast(({ smpc }) => (smpc?.placement ?? "none") === wanted)!;
      const { chosen, front } = await plan({ ...request, merge, point: point.point }, quiet);
      assert.deepEqual(front, planned.front);
      const config = parseRunConfig(JSON.parse(JSON.stringify(chosen.config)));
      const run = await openRun({ ...config, place: "memory" }, { text, chat: false }, quiet);
      try {
        const record = await run.generate({ startedAt: performance.now(), onText: quiet });
        assert.equal(record.promptIds.length, request.promptLength);
        assert.equal(record.generatedIds.length, request.newTokens);
        assert.equal(record.payloadBytes, point.payloadBytes);
        assert.equal(record.messages, point.messages);
        assert.equal(record.rounds, point.rounds);
        assert.equal(record.smpc?.dealtBytes ?? 0, point.dealtBytes);
        const seen = Object.entries(record.parties).filter(([, { kinds }]) => Object.keys(kinds).length > 0);
        for (const [party, exposure] of seen) assert.deepEqual(chosen.parties[party], exposure, party);
      } finally {
        await run.close();
      }
    });

  it("hides from so many nodes together, and says what one of the chosen point concludes", async () => {
    const { front, chosen } = await plan({ ...request, machines: 4, hideFrom: 2 }, quiet);
    assert.ok(front.length > 0);
    for (const { rowsSeen, colluders } of front) assert.ok(rowsSeen === null && colluders !== null && colluders > 2);
    assert.deepEqual([chosen.concluded.evidence, chosen.concluded.tokens], ["proved", 0]);
    const all = await plan({ ...request, machines: 4 }, quiet);
    const clear = all.front.find(({ cascade }) => cascade !== null)!;
    const { concluded } = (await plan({ ...request, machines: 4, point: clear.point }, quiet)).chosen;
    assert.equal(concluded.evidence, "determined");
    assert.ok(concluded.tokens > concluded.of / 2 && concluded.rules.length > 0);
  });

  it("keeps to the limits, and names the one that binds", async () => {
    const { front } = await plan({ ...request, hideIds: true, maxMb: 10 }, quiet);
    for (const { idsSeen, payloadBytes } of front) assert.ok(!idsSeen && payloadBytes <= 10e6);
    await assert.rejects(
      plan({ ...request, machines: 1 }, quiet),
      /^Error: plan: expected something feasible, got nothing: --machines 1 binds, 2 is the nearest feasible$/,
    );
    await assert.rejects(
      plan({ ...request, hideIds: true, maxMb: 0.5 }, quiet),
      /--max-mb 0\.5 binds, \d+\.\d+ MB is the nearest feasible; or --hide-ids binds/,
    );
  });
});

describe("weir plan for a shape", async () => {
  const promptLength = 16;
  const record = await plan(
    {
      shape: "bert-base",
      promptLength,
      newTokens: 1,
      machines: 22,
      precision: "default",
      trade: "standard",
      merge: "plain",
      rttMs: 1,
      mbit: 1000,
      multiplyAddsPerSecond: 1e10,
      wordMultiplyAddsPerSecond: 4e8,
    },
    () => {},
  );

  it("costs the paper's formula in Cascade, and has no config", () => {
    const [d, heads, layers] = [768, 12, 12];
    const { onlineBytes } = record.front.find(({ cascade, smpc }) => smpc === null && cascade?.alpha === 4)!;
    // Ids in, b·N·(2d + 2 d_kv + 2H) words a layer with b = 4, all rows out.
    const words = layers * 4 * promptLength * (4 * d + 2 * heads) + promptLength * d;
    assert.equal(onlineBytes, 4 * promptLength + 4 * words);
    assert.equal(record.chosen.config, null);
    assert.doesNotThrow(() => planRecord.parse(record));
  });

  it("lowers every layer, a layer at the price of any other", () => {
    const costs = [1, 2, 3].map((count) => record.front.find(({ smpc }) => smpc?.placement === `first:${count}`)!);
    assert.deepEqual(record.leftOut, []);
    assert.equal(costs[2].rounds - costs[1].rounds, costs[1].rounds - costs[0].rounds);
    assert.ok(record.front.some(({ smpc }) => smpc?.placement === "all"));
  });
});

/** A text of exactly this many tokens, from the held-out text beside the model. */
async function promptOf(tokens: number): Promise<string> {
  const tokenizer = await openTokenizer(DEFAULT_MODEL);
  const heldOut = await readFile(path.join(DEFAULT_MODEL, "heldout.txt"), "utf8");
  for (let length = 1; length < heldOut.length; length++)
    if (tokenizer.encode(heldOut.slice(0, length), { addSpecial: true }).length === tokens)
      return heldOut.slice(0, length);
  throw new Error(`prompt: expected some beginning of ${tokens} tokens, got none`);
}
