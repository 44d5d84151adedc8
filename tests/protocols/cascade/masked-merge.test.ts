/** The masked merge: equal to the plain one, masks that cancel and hide, nothing of a shard apart in a CompNode's view. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import type { FloatArray } from "../../../layers/tensor.ts";
import { readSafetensorsFile } from "../../../layers/weights/safetensors-file.ts";
import { PairMasks } from "../../../protocols/cascade/mask-seeds.ts";
import { MaskedSum, weighedWords } from "../../../protocols/cascade/masked-merge.ts";
import { mergeScalesOf } from "../../../protocols/cascade/merge-scales.ts";
import { logSums, weightsOf } from "../../../protocols/cascade/scale-exchange.ts";
import { shardingFrom, type ShardingRule } from "../../../protocols/cascade/sharding.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { scheduleOf } from "../../../protocols/fusion/session/session-description.ts";
import type { PartyReport } from "../../../protocols/fusion/record/party-report.ts";
import { viewName, type ViewIndex } from "../../../protocols/fusion/record/view-recorder.ts";
import { maxError } from "../../layers/golden-models.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { anyRule } from "./arbitraries.ts";
import { randomIds, randomModel, type RandomModelOptions } from "./random-model.ts";
import { describeSession, shardedForward, shardedGreedy } from "./whole-model.ts";

/**
 * A word is off by half a unit, 2^-(f+1), a shard: with |v| of these models up to 64 and 24 shards at most 2^-20 or so, which layers
 * pass on enlarged by less than 100.
 */
const BOUND = 1e-4;
/** Of half a unit: float64 rounding of logits up to 10^3, weights and sums, 2^-52 of each beside 2^-31. */
const FLOAT64_SHARE = 1e-2;
/** Of uniform bytes the statistic exceeds this once in 10^9 runs: 255 degrees of freedom, six deviations. */
const CHI_SQUARE_BOUND = 255 + 6 * Math.sqrt(2 * 255);

const MODEL: RandomModelOptions = {
  seed: 5,
  layers: 2,
  kvHeads: 2,
  group: 2,
  headDim: 4,
  causal: true,
  window: null,
  softCap: null,
  sharpness: 1,
};
/** Words of a row of u: heads times head width; m and e follow the rows of a plain message. */
const ROW = 16;
const FOUR: ShardingRule = { rule: "round-robin", parts: 4 };

/** Shardings of at least two shards. */
const maskable = anyRule.filter((rule) => shardingFrom(rule).parts > 1);

describe("the masked merge", async () => {
  const scratch = await scratchFolder();

  it("equals the plain model for any partitions, sizes and masks, prompt and generation", async () => {
    const any = fc.record({
      seed: fc.nat(1000),
      layers: fc.integer({ min: 1, max: 3 }),
      kvHeads: fc.integer({ min: 1, max: 2 }),
      group: fc.integer({ min: 1, max: 2 }),
      headDim: fc.constantFrom(2, 4),
      causal: fc.boolean(),
      window: fc.option(fc.integer({ min: 1, max: 9 })),
      softCap: fc.option(fc.constantFrom(1, 30)),
      sharpness: fc.constantFrom(1, 10, 100),
    });
    const length = fc.integer({ min: 1, max: 24 });
    await fc.assert(
      fc.asyncProperty(any, anyRule, maskable, length, async (options, r, s, n) => {
        const model = randomModel(options);
        const ids = randomIds(options.seed, n);
        const { sharded } = await forward(options, r, s, ids);
        const plain = await plainForward(model, ids);
        const error = maxError(sharded.finished.data, plain.hidden.at(-1)!.data);
        assert.ok(error < BOUND, `${error}`);
      }),
      { numRuns: 40 },
    );
    const merged = await tokens(true);
    assert.deepEqual(merged, await tokens(false));

    async function tokens(masked: boolean): Promise<number[]> {
      const { model, engine, deployment, scales } = await parties(MODEL, FOUR, FOUR);
      const more = { wire: "float64", maxNewTokens: 8, mergeScales: masked ? scales : null } as const;
      const description = describeSession(model, { r: FOUR, s: FOUR }, 6, more);
      const run = await shardedGreedy(model, engine, deployment, description, randomIds(2, 6));
      await deployment.close();
      return run.tokens;
    }
  });

  it("rounds each shard's row by half a unit at most: b * 2^-(f+1) of the attention output", async () => {
    const any = fc.record({
      seed: fc.nat(1000),
      layers: fc.constant(1),
      kvHeads: fc.integer({ min: 1, max: 2 }),
      group: fc.integer({ min: 1, max: 2 }),
      headDim: fc.constantFrom(2, 4),
      causal: fc.boolean(),
      window: fc.option(fc.integer({ min: 1, max: 9 })),
      softCap: fc.constant(null),
      sharpness: fc.constantFrom(1, 10),
    });
    let [most, runs] = [0, 0];
    await fc.assert(
      fc.asyncProperty(any, anyRule, maskable, fc.integer({ min: 2, max: 16 }), async (options, r, s, n) => {
        const folder = path.join(scratch.path, `attended-${runs++}`);
        const [plain, masked] = [
          await attended(options, r, s, n, path.join(folder, "plain"), false),
          await attended(options, r, s, n, path.join(folder, "masked"), true),
        ];
        const { kvHeads, group, headDim } = options;
        assert.equal(masked.rows.size, n);
        for (const [position, row] of masked.rows) {
          const shards = masked.schedule.askedOf(0, 0, masked.schedule.s.owner(position)).length;
          const exact = plain.rows.get(position)!;
          for (let column = 0; column < kvHeads * group * headDim; column++) {
            const bits = masked.scales.fractionBits[0][Math.floor(column / headDim / group)];
            const share = Math.abs(row[column] - exact[column]) / (shards * 2 ** -(bits + 1));
            assert.ok(share <= 1 + FLOAT64_SHARE, `position ${position}, column ${column}: ${share} of the bound`);
            most = Math.max(most, share);
          }
        }
      }),
      { numRuns: 10 },
    );
    assert.ok(most > 0.5, `expected words that come near the bound, got ${most} of it`);
  });

  it("has masks that cancel exactly, whatever the words and the number of nodes", () => {
    const anyWords = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), anyWords, fc.nat(), (nodes, plain, session) => {
        const sum = new Int32Array(plain.length);
        for (let k = 0; k < nodes; k++) {
          const words = k === 0 ? Int32Array.from(plain) : new Int32Array(plain.length);
          for (let other = 0; other < nodes; other++)
            if (other !== k)
              new PairMasks(seedOf(k, other)).add(words, k < other ? 1 : -1, { session, layer: 1, step: 2 });
          for (let i = 0; i < sum.length; i++) sum[i] += words[i];
        }
        assert.deepEqual([...sum], plain);
      }),
    );
  });

  it("has fresh masks in every session, layer and step, for every pair", () => {
    const places = [0, 1].flatMap((session) =>
      [0, 1].flatMap((layer) => [0, 1].map((step) => ({ session, layer, step }))),
    );
    const streams = [seedOf(0, 1), seedOf(0, 2)].flatMap((seed) =>
      places.map((place) => {
        const words = new Int32Array(8);
        new PairMasks(seed).add(words, 1, place);
        return words.join();
      }),
    );
    assert.equal(new Set(streams).size, streams.length);
  });

  it("refuses a value above the public bound, or none that is a number, and keeps one at it", () => {
    const attention = { heads: 1, kvHeads: 1, headDim: 1, scale: 1, softCap: null, causal: true, window: null };
    const words = (value: number): Int32Array =>
      weighedWords(
        { u: { data: Float64Array.of(value), shape: [1, 1] }, e: { data: Float64Array.of(1), shape: [1, 1] } },
        Float64Array.of(1),
        attention,
        [20],
      );
    assert.deepEqual([...words(1024)], [2 ** 30]);
    for (const value of [1024.1, -1025, NaN, Infinity])
      assert.throws(
        () => words(value),
        /^RangeError: masked merge: expected values of head 0 within 2\^10, got one beyond/,
      );
  });

  it("weighs rows that nothing sees, sees one shard of, or sees with extreme logits", () => {
    const [none, far, near] = [-Infinity, -1e4, 1e4];
    assert.deepEqual([...weightsOf(Float64Array.of(none, none, near), [Float64Array.of(none, far, far)])], [0, 0, 1]);
    assert.deepEqual([...logSums(Float64Array.of(3, none), Float64Array.of(1, 0), "float16")], [3, none]);
    // What it is stays with the AttnNode: the text goes to every party.
    assert.throws(
      () => logSums(Float64Array.of(3, 70_001), Float64Array.of(1, 1), "float16"),
      ({ message }: Error) => /got one beyond/.test(message) && !message.includes("7000"),
    );
    assert.throws(() => weightsOf(Float64Array.of(NaN), []), /expected finite scales/);
    const attention = { heads: 2, kvHeads: 1, headDim: 1, scale: 1, softCap: null, causal: true, window: null };
    const sum = new MaskedSum(2, attention);
    sum.add(Int32Array.of(2 ** 31 - 1, 4), [1]);
    sum.add(Int32Array.of(1, -8), [1]);
    sum.add(Int32Array.of(2 ** 31 - 1, 0), [1]);
    assert.deepEqual([...sum.finish("float64", [1]).data], [0, 0, -0.5, -2]);
  });

  it("shows a CompNode words that are uniform, and a short mask is caught", async () => {
    const { views } = await recorded("uniform", 64);
    const words = views.flatMap(({ kind, data }) => (kind === "masked" ? Array.from(data) : []));
    assert.ok(words.length > 2000, `${words.length}`);
    const statistic = chiSquare(words);
    assert.ok(statistic < CHI_SQUARE_BOUND, `${statistic}`);
    const short = words.map((word) => Number(word) & 0x3fffffff);
    assert.ok(chiSquare(short) > CHI_SQUARE_BOUND, "masks of 30 bits");
  });

  it("hides the v row that a plain merge gives away, and the ledger says both", async () => {
    const plain = await recorded("plain", 8, false);
    const masked = await recorded("masked", 8);
    // Row 4 of comp.0 sees position 1 alone of shard 1: u is position 1's v row.
    const truth = await valueRow(1);
    const nearest = (views: readonly View[], scale: number): number =>
      Math.min(
        ...views
          .filter(({ kind }) => kind === "partial" || kind === "masked")
          .flatMap(({ data }) =>
            Array.from({ length: Math.floor(data.length / ROW) }, (_, row) =>
              Math.max(...truth.map((v, at) => Math.abs(Number(data[row * ROW + at]) * scale - v))),
            ),
          ),
      );
    assert.ok(nearest(plain.views, 1) < 1e-12, "by the plain merge, exactly");
    const [[bits]] = masked.scales.fractionBits;
    assert.ok(nearest(masked.views, 2 ** -bits) > 0.01);
    const seen = ({ reports }: typeof plain, name: string) => reports.find(({ party }) => party === name)!.exposure;
    assert.deepEqual(seen(plain, "comp.0").kinds.revealed?.positions, [0, 1, 2, 3]);
    assert.deepEqual(seen(masked, "comp.0").kinds.revealed?.positions, [0], "row 0 sees itself alone");
    assert.equal(seen(masked, "comp.0").kinds.summed, undefined);
    assert.deepEqual(seen(masked, "comp.0").kinds.merged?.positions, [0, 1, 2, 3, 4]);
    assert.deepEqual(seen(masked, "attn.0.1").kinds.scale?.positions, [0, 4]);
    assert.deepEqual(seen(masked, "attn.0.1").kinds.logit?.positions, [0, 2, 3]);
    assert.equal(seen(masked, "comp.0").kinds.unscheduled, undefined);
  });

  it("is refused over one shard, and with scales of another model", async () => {
    const one: ShardingRule = { rule: "round-robin", parts: 1 };
    await assert.rejects(
      forward(MODEL, FOUR, one, [1, 2, 3]),
      /^Error: merge: expected at least 2 shards of the AttnNodes \(beta\) for masked, got 1/,
    );
    const { model, deployment } = await parties(MODEL, FOUR, FOUR);
    const description = describeSession(model, { r: FOUR, s: FOUR }, 4, { mergeScales: { fractionBits: [[20]] } });
    await assert.rejects(
      new Client(deployment.client, model, deployment.nodes).open(description),
      /^Error: merge scales: expected 2 a layer for 2 layers, got 1/,
    );
    await deployment.close();
  });

  // Helpers

  interface View {
    readonly kind: string;
    readonly data: ArrayLike<number | bigint>;
  }

  /** What comp.0 received in a prompt of `length` tokens and one more step. */
  async function recorded(name: string, length: number, masked = true) {
    const folder = path.join(scratch.path, name);
    const { model, engine, deployment, scales } = await parties(MODEL, FOUR, FOUR, folder);
    const more = { wire: "float64", maxNewTokens: 2, views: true, mergeScales: masked ? scales : null } as const;
    const description = describeSession(model, { r: FOUR, s: FOUR }, length === 8 ? 5 : length, more);
    let reports: readonly PartyReport[];
    try {
      ({ reports } = await shardedGreedy(
        model,
        engine,
        deployment,
        description,
        randomIds(1, description.promptLength),
      ));
    } finally {
      await deployment.close();
    }
    const file = (await readdir(folder)).find((each) => each.endsWith("-comp.0.json"))!;
    const { entries, session } = JSON.parse(await readFile(path.join(folder, file), "utf8")) as ViewIndex;
    const tensors = await readSafetensorsFile(path.join(folder, `${viewName("comp.0", session)}.safetensors`));
    const views = entries
      .filter(({ source, layer }) => source === "received" && (layer === 0 || length > 8))
      .map(({ tensor, kind }): View => {
        return { kind, data: tensors.get(tensor)!.data };
      });
    return { views, reports, scales };
  }

  /** The v row of a position at layer 0, for the first query head of each value head in the order of u: [headDim] of head 0. */
  async function valueRow(position: number): Promise<number[]> {
    const model = randomModel(MODEL);
    const engine = await referenceEngine(model);
    const ids = randomIds(1, 5);
    const { v } = await engine.pre(0, await engine.embed([ids[position]], [position]), [position]);
    return [...v.data.subarray(0, MODEL.headDim)];
  }
});

/** A seed that both of a pair have. */
const seedOf = (a: number, b: number): Uint8Array => new Uint8Array(32).fill(Math.min(a, b) * 16 + Math.max(a, b));

async function parties(
  options: RandomModelOptions,
  r: ShardingRule,
  s: ShardingRule,
  viewsFolder: string | null = null,
) {
  const model = randomModel(options);
  const engine = await referenceEngine(model);
  const shape = { alpha: shardingFrom(r).parts, beta: shardingFrom(s).parts, attnLinks: true };
  const deployment = await inProcessDeployment(model, engine, shape, { viewsFolder });
  return { model, engine, deployment, scales: await mergeScalesOf(model) };
}

/** The attention output of every position in the only layer, by the CompNodes' recorded views. */
async function attended(
  options: RandomModelOptions,
  r: ShardingRule,
  s: ShardingRule,
  length: number,
  folder: string,
  isMasked: boolean,
) {
  const { model, engine, deployment, scales } = await parties(options, r, s, folder);
  const more = { wire: "float64", views: true, mergeScales: isMasked ? scales : null } as const;
  const description = describeSession(model, { r, s }, length, more);
  try {
    await shardedForward(model, engine, deployment, description, randomIds(options.seed, length));
  } finally {
    await deployment.close();
  }
  const rows = new Map<number, FloatArray>();
  for (const file of await readdir(folder)) {
    if (!/-comp\.\d+\.json$/.test(file)) continue;
    const { entries } = JSON.parse(await readFile(path.join(folder, file), "utf8")) as ViewIndex;
    const tensors = await readSafetensorsFile(path.join(folder, file.replace(/json$/, "safetensors")));
    for (const { tensor, kind, positions } of entries) {
      if (kind !== "attended") continue;
      const { data, shape } = tensors.get(tensor)!;
      for (const [row, position] of positions!.entries())
        rows.set(position, data.subarray(row * shape[1], (row + 1) * shape[1]) as FloatArray);
    }
  }
  return { rows, scales, schedule: scheduleOf(description, model.spec, model.program) };
}

async function forward(options: RandomModelOptions, r: ShardingRule, s: ShardingRule, ids: readonly number[]) {
  const { model, engine, deployment, scales } = await parties(options, r, s);
  try {
    const description = describeSession(model, { r, s }, ids.length, { wire: "float64", mergeScales: scales });
    return { sharded: await shardedForward(model, engine, deployment, description, ids) };
  } finally {
    await deployment.close();
  }
}

/** Of the highest bytes of some words against the uniform distribution. */
function chiSquare(words: readonly (number | bigint)[]): number {
  const counts = new Float64Array(256);
  for (const word of words) counts[(Number(word) >>> 24) & 255]++;
  const expected = words.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
