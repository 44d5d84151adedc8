/** Sessions whose layers run partly under SMPC: the plain model's rows and tokens, at the declared cost, wherever the SMPC layers lie. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { CLIENT } from "../../../protocols/cascade/party-name.ts";
import type { ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { sessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import type { SegmentFormat, SmpcPlacement } from "../../../protocols/smpc/plan/placement.ts";
import type { Endpoint } from "../../../protocols/wire/endpoint.ts";
import { argmax, maxError, openGolden } from "../../layers/golden-models.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { randomIds } from "../cascade/random-model.ts";
import {
  fourLayers,
  hybridGreedy,
  rangesOfAll,
  SMPC_BOUND,
  walkError,
  withHybrid,
  type HybridSetting,
} from "./smpc-session-run.ts";

const MODEL = fourLayers();
const R: ShardingRule = { rule: "clusters", parts: 3, c: 2 };
const S: ShardingRule = { rule: "round-robin", parts: 2 };
const IDS = randomIds(3, 9);

describe("a session with layers under SMPC", async () => {
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const common = { model: MODEL, engine, r: R, s: S, ranges } as const;
  const plain = await plainForward(MODEL, IDS);
  const expected = plain.hidden.at(-1)!.data;

  const placements: readonly (readonly [string, Partial<HybridSetting> & { layers: readonly number[] }])[] = [
    ["the first layer", { layers: [0] }],
    ["the last layer", { layers: [3] }],
    ["the first and the last", { layers: [0, 3] }],
    ["layers in between", { layers: [1, 2] }],
    ["every other layer, three parties and a dealer", { layers: [1, 3], parties: 3, dealer: "dealer" }],
    ["all layers, four parties", { layers: [0, 1, 2, 3], parties: 4 }],
    ["all layers and the LM head", { layers: [0, 1, 2, 3], head: true }],
    ["the first layer, over sockets", { layers: [0], options: { sockets: true } }],
  ];
  for (const [name, setting] of placements) {
    it(`gives the plain rows with ${name} there`, async () => {
      const { rows, logits, failed } = await withHybrid(
        { ...common, ...setting, more: { output: "all" } },
        IDS.length,
        async (session) => {
          const result = await session.step(0, IDS);
          assert.ok("rows" in result);
          const reports = await session.close();
          const failedRows = [...session.failedRows, ...reports.flatMap((report) => report.failedRows)];
          return { ...result, failed: failedRows };
        },
      );
      assert.deepEqual(failed, []);
      const finished = setting.head ? rows : (await engine.head(rows)).finished;
      const error = maxError(finished.data, expected);
      assert.ok(error < SMPC_BOUND, `rows: expected within ${SMPC_BOUND}, got ${error}`);
      assert.ok(error > 0, "rows: expected fixed point, got the float rows");
      assert.equal(logits !== null, setting.head === true);
      if (logits !== null) assert.ok(maxError(logits.data, plain.logits!.data) < 5 * SMPC_BOUND);
    });
  }

  it("decodes to the rows that recomputing gives, whoever deals and has the head", async () => {
    const ids = randomIds(11, 9);
    const steps = 5;
    const prompt = ids.length - steps + 1;
    for (const setting of [{ layers: [0, 2] }, { layers: [0, 1, 2, 3], dealer: "dealer" }] as const)
      await withHybrid({ ...common, ...setting, more: { maxNewTokens: steps } }, prompt, async (session) => {
        const error = await walkError(session, MODEL, engine, ids, steps);
        assert.ok(error < SMPC_BOUND, `expected within ${SMPC_BOUND}, got ${error}`);
        await session.close();
      });
  });

  it("costs what is declared, to the byte and the round", async () => {
    const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
    const settings: readonly (Partial<HybridSetting> & { layers: readonly number[] })[] = [
      { layers: [0] },
      { layers: [0, 3], parties: 3 },
      { layers: [1, 3], dealer: "dealer", more: { head: "compnode", sampling: greedy } },
      { layers: [2], more: { output: "all" } },
      { layers: [0, 1, 2, 3], head: true },
    ];
    for (const setting of settings)
      await withHybrid(
        { ...common, ...setting, more: { maxNewTokens: 4, ...setting.more } },
        5,
        async (session, deployment) => {
          await session.step(0, IDS.slice(0, 5));
          await session.step(1, [IDS[5]]);
          const reports = await session.close();
          const costs = await sessionCosts(deployment, session, reports, MODEL, 2);
          for (const phase of costs.phases) {
            assert.equal(phase.payloadBytes, phase.expectedPayloadBytes, phase.phase);
            assert.equal(phase.messages, phase.expectedMessages, phase.phase);
          }
          assert.ok(costs.phases.find(({ phase }) => phase === "online")!.payloadBytes > 0);
          assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
          assert.equal(costs.rounds, costs.expectedRounds);
        },
      );
  });

  it("says which rows left their range, and goes on", async () => {
    // Logits that the wires of layer 1 are too narrow for.
    const logits = ranges.sites["layers.1.logits.0"];
    const narrow = {
      ...ranges,
      sites: {
        ...ranges.sites,
        "layers.1.logits.0": { ...logits, range: "certified", low: -0.1, high: 0.1, spread: 0.1 },
      },
    } as const;
    const sharp = fourLayers(8);
    const failed = await withHybrid(
      {
        ...common,
        model: sharp,
        engine: await referenceEngine(sharp),
        layers: [1],
        ranges: { ...narrow, model: sharp.fingerprint },
        more: { output: "all" },
      },
      IDS.length,
      async (session) => {
        await session.step(0, IDS);
        return (await session.close()).flatMap(({ failedRows }) => failedRows);
      },
    );
    assert.ok(failed.length > 0);
    const first = failed.filter(({ site }) => site === "layers.1.logits.0").map(({ position }) => position);
    for (const { position, site } of failed) {
      assert.ok(position > 0 && position < IDS.length, `row 0 sees itself alone, got position ${position}`);
      // What such a row becomes may leave the range of the norm behind the attention as well.
      assert.ok(first.includes(position), `position ${position}: expected a miss of its logits, got one of ${site}`);
    }
  });

  it("says which rows a norm's range doesn't cover", async () => {
    const norm = ranges.sites["layers.1.norm.0"];
    const low = {
      ...norm,
      range: "certified",
      minSquare: norm.minSquare! / 400,
      maxSquare: norm.minSquare! / 100,
    } as const;
    const failed = await withHybrid(
      {
        ...common,
        layers: [1],
        ranges: { ...ranges, sites: { ...ranges.sites, "layers.1.norm.0": low } },
        more: { output: "all" },
      },
      IDS.length,
      async (session) => {
        await session.step(0, IDS);
        return (await session.close()).flatMap(({ failedRows }) => failedRows);
      },
    );
    const found = new Set(failed.filter(({ site }) => site === "layers.1.norm.0").map(({ position }) => position));
    assert.ok(found.size >= IDS.length - 2, `expected nearly all of ${IDS.length} rows, got ${[...found].join(", ")}`);
  });

  it("says which rows leave beyond their range", async () => {
    const out = ranges.sites["layers.1.out.0"];
    const low = { ...out, maxAbs: out.maxAbs / 20 };
    const failed = await withHybrid(
      {
        ...common,
        layers: [1],
        ranges: { ...ranges, sites: { ...ranges.sites, "layers.1.out.0": low } },
        more: { output: "all" },
      },
      IDS.length,
      async (session) => {
        await session.step(0, IDS);
        return (await session.close()).flatMap(({ failedRows }) => failedRows);
      },
    );
    const found = failed.filter(({ site }) => site === "layers.1.out.0").map(({ position }) => position);
    assert.ok(found.length >= IDS.length - 2, `expected nearly all of ${IDS.length} rows, got ${found.join(", ")}`);
  });

  it("is refused where an SMPC party has other public integers, by name", async () => {
    const wrap = (endpoint: Endpoint): Endpoint =>
      endpoint.party === CLIENT
        ? endpoint
        : new Proxy(endpoint, {
            get(target, name) {
              if (name === "sendControl" && endpoint.party === "smpc.1")
                return (peer: string, message: { hashes?: Record<string, string>; type: string }) =>
                  endpoint.sendControl(
                    peer,
                    message.hashes === undefined
                      ? message
                      : { ...message, hashes: { ...message.hashes, "smpc public integers": "0" } },
                  );
              const value: unknown = Reflect.get(target, name);
              return typeof value === "function" ? (value.bind(target) as unknown) : value;
            },
          });
    await assert.rejects(
      hybridGreedy({ ...common, layers: [0], options: { wrap } }, IDS, 2),
      /^Error: smpc\.1: expected the session description that was sent, got another in smpc public integers$/,
    );
  });

  it("is refused by SMPC parties where rows would enter or leave otherwise than they plan", async () => {
    const inFormat = (changes: Partial<SegmentFormat>) => (smpc: SmpcPlacement) => ({
      ...smpc,
      formats: smpc.formats.map((format) => ({ ...format, ...changes })),
    });
    for (const [change, reason] of [
      [inFormat({ inputBits: 9 }), /^Error: smpc\.[01]: smpc formats\[0\]\.inputBits: expected \d+ \(mine\), got 9$/],
      [inFormat({ checks: [] }), /^Error: smpc\.[01]: smpc formats\[0\]\.checks: expected .* \(mine\), got \[\]$/],
      [
        (smpc: SmpcPlacement) => ({ ...smpc, formats: [] }),
        /^Error: smpc formats: expected 1, one a run of layers, got 0$/,
      ],
      [
        (smpc: SmpcPlacement) => ({ ...smpc, layers: [4] }),
        /^RangeError: smpc layers: expected ascending layers of 0 to 3, got 4$/,
      ],
      [
        (smpc: SmpcPlacement) => ({ ...smpc, parties: 3 }),
        /^Error: smpc: expected a deployment with smpc\.0, smpc\.1, smpc\.2, got one without smpc\.2/,
      ],
    ] as const)
      await assert.rejects(hybridGreedy({ ...common, layers: [0], parties: 2, change }, IDS, 2), reason);
  });

  it("ends with the name of a party whose message is cut short", async () => {
    const wrap = (endpoint: Endpoint): Endpoint =>
      endpoint.party !== "smpc.1"
        ? endpoint
        : withSend(endpoint, (peer, key, tensor) =>
            key.role === "opened" && key.part === 2
              ? endpoint.send(peer, key, { data: tensor.data.slice(1), shape: [1, tensor.data.length - 1] })
              : endpoint.send(peer, key, tensor),
          );
    await assert.rejects(
      hybridGreedy({ ...common, layers: [0], options: { wrap } }, IDS, 2),
      /smpc\.0: message opened of layer 0, step 0, part 2, session \d+ from smpc\.1: expected \[1, \d+\] uint8, got/,
    );
  });
});

describe("models that transformers ran, with layers under SMPC", () => {
  /** What the fixed point of all layers may be off by; docs/figures.md, "Accuracy of the hybrid". */
  const GOLDEN_BOUND = 2e-2;
  for (const name of ["bert", "gpt2"])
    it(`${name}: one layer and all layers`, async () => {
      const { model, golden } = await openGolden(name);
      const engine = await onnxEngine(model, { threads: 1 });
      const ranges = await rangesOfAll(model);
      const all = Array.from({ length: model.spec.layers }, (_, layer) => layer);
      for (const layers of [[0], [model.spec.layers - 1], all]) {
        const rows = await withHybrid(
          { model, engine, r: R, s: S, ranges, layers, more: { output: "all" } },
          golden.ids.length,
          async (session) => {
            const result = await session.step(0, golden.ids);
            assert.ok("rows" in result);
            const reports = await session.close();
            assert.deepEqual([...session.failedRows, ...reports.flatMap(({ failedRows }) => failedRows)], []);
            return result.rows;
          },
        );
        const { finished, logits } = await engine.head(rows);
        const error = maxError(finished.data, golden.hidden.at(-1)!);
        assert.ok(error < GOLDEN_BOUND, `layers ${layers.join()}: expected within ${GOLDEN_BOUND}, got ${error}`);
        if (logits === null || golden.logits === null) continue;
        assert.equal(
          argmax(logits.data.subarray(-model.spec.vocabulary)),
          argmax(golden.logits.subarray(-model.spec.vocabulary)),
        );
      }
      await engine.close();
      await model.close();
    });

  it("gpt2: generates the tokens that transformers does, first layer under SMPC", async () => {
    const { model, golden } = await openGolden("gpt2");
    const engine = await onnxEngine(model, { threads: 1 });
    const ranges = await rangesOfAll(model);
    const steps = golden.greedy.length;
    const { tokens } = await hybridGreedy({ model, engine, r: R, s: S, ranges, layers: [0] }, golden.ids, steps);
    assert.deepEqual(tokens, [...golden.greedy]);
    await engine.close();
    await model.close();
  });
});
