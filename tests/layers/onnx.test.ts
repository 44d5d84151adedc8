import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { attentionOutput } from "../../layers/forward-pass.ts";
import { OnnxAttention } from "../../layers/onnx/attention-engine.ts";
import { attentionEngine, onnxEngine } from "../../layers/onnx/engine.ts";
import { monolithicModel } from "../../layers/onnx/monolithic-model.ts";
import { prepareWeights } from "../../layers/onnx/weight-file.ts";
import type { AttentionSpec } from "../../layers/program.ts";
import { isVisible, partialAttention } from "../../layers/reference/attention.ts";
import { referenceEngine } from "../../layers/reference/engine.ts";
import { matrixOf } from "../../layers/reference/matrix.ts";
import { takeRows, type Tensor } from "../../layers/tensor.ts";
import { attentionCase, propertyRuns, type AttentionCase } from "./attention-cases.ts";
import { argmax, assertGolden, maxError, MODEL_NAMES, MODELS_FOLDER, openGolden } from "./golden-models.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { stagedPass } from "./staged-pass.ts";

const scratch = await scratchFolder();
process.env.WEIR_CACHE = path.join(scratch.path, "cache");

for (const name of MODEL_NAMES) {
  test(`${name}: stage graphs give transformers' hidden states and logits`, async () => {
    const { model, golden } = await openGolden(name);
    const engine = await onnxEngine(model, { threads: 1 });
    assertGolden(await stagedPass(engine, golden.ids), golden);
    await engine.close();
    await model.close();
  });

  test(`${name}: the whole graph gives transformers' hidden states, logits and greedy tokens`, async () => {
    const { model, golden } = await openGolden(name);
    const whole = await monolithicModel(model, { threads: 1 });
    const sequence = whole.begin();
    const first = await sequence.extend(golden.ids, { allLogits: true, hidden: true });
    assertGolden(first, golden);
    if (first.logits !== null) {
      let logits = first.logits.data.subarray(-model.spec.vocabulary);
      for (const [i, token] of golden.greedy.entries()) {
        assert.equal(argmax(logits), token, `token ${i}`);
        logits = (await sequence.extend([token])).logits!.data;
      }
    }
    await whole.close();
    await model.close();
  });
}

test("a sequence that grows by any steps is the sequence at once", async () => {
  for (const name of ["gemma2", "mistral-window", "gpt2"]) {
    const { model, golden } = await openGolden(name);
    const whole = await monolithicModel(model, { threads: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: golden.ids.length }), { maxLength: 4 }), async (cuts) => {
        const ends = [...new Set([...cuts, golden.ids.length])].sort((a, b) => a - b);
        const sequence = whole.begin();
        for (const [i, end] of ends.entries()) {
          const from = i === 0 ? 0 : ends[i - 1];
          const { logits } = await sequence.extend(golden.ids.slice(from, end), { allLogits: true });
          const expected = golden.logits!.subarray(from * model.spec.vocabulary, end * model.spec.vocabulary);
          assert.ok(maxError(logits!.data, expected) < 1e-4);
        }
        assert.equal(sequence.length, golden.ids.length);
      }),
      propertyRuns(12),
    );
    await whole.close();
    await model.close();
  }
});

test("stages take rows of any positions in any order, one row and none", async () => {
  for (const name of ["gemma2", "gpt2", "qwen3"]) {
    const { model, golden } = await openGolden(name);
    const [engine, reference] = [await onnxEngine(model, { threads: 1 }), await referenceEngine(model)];
    for (const positions of [[7], [40, 3, 17, 0], []]) {
      const ids = positions.map((t) => golden.ids[t % golden.ids.length]);
      const [x, exact] = [await engine.embed(ids, positions), await reference.embed(ids, positions)];
      assert.ok(maxError(x.data, exact.data) < 1e-5);
      const [got, expected] = [await engine.pre(1, x, positions), await reference.pre(1, exact, positions)];
      for (const part of ["q", "k", "v"] as const) {
        assert.deepEqual(got[part].shape, expected[part].shape);
        assert.ok(maxError(got[part].data, expected[part].data) < 2e-5, `${name} ${part}`);
      }
      const after = await engine.post(1, x, got.q);
      assert.ok(maxError(after.data, (await reference.post(1, exact, expected.q)).data) < 1e-4, `${name} post`);
      const [head, exactHead] = [await engine.head(after), await reference.head(after)];
      assert.deepEqual(head.logits!.shape, [positions.length, model.spec.vocabulary]);
      assert.ok(maxError(head.logits!.data, exactHead.logits!.data) < 1e-4, `${name} head`);
    }
    await engine.close();
    await model.close();
  }
});

test("rows that are views into a larger buffer are read from where they lie", async () => {
  const { model, golden } = await openGolden("llama-gqa");
  const engine = await onnxEngine(model, { threads: 1, stages: [] });
  const positions = [4, 5, 6];
  const x = await engine.embed(golden.ids.slice(0, 9), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  const view = { data: x.data.subarray(4 * model.spec.width, 7 * model.spec.width), shape: [3, model.spec.width] };
  assert.deepEqual(await engine.pre(0, view, positions), await engine.pre(0, takeRows(x, positions), positions));
  await engine.close();
  await model.close();
});

/** An engine for attention alone, of any shape. */
const attentionOf = (spec: AttentionSpec): OnnxAttention =>
  new OnnxAttention(
    { spec: { layers: 1 }, program: { attention: () => spec } } as unknown as ConstructorParameters<
      typeof OnnxAttention
    >[0],
    1,
  );

/**
 * Float32 against float64. A logit of size a is off by rounding a few units in its last place, 6e-8 a, so weights are off by that
 * factor; sums over keys add their own rounding. Held to 40 units of both: the sizes in `attentionCase` stay below 1e4.
 */
const FLOAT32_UNIT = 2 ** -24;
const bound = (largestLogit: number): number => 40 * FLOAT32_UNIT * Math.max(1, largestLogit);

test("partial attention is the reference's to float32 rounding: any masks, extreme logits, shards that nothing is visible in", async () => {
  await fc.assert(
    fc.asyncProperty(attentionCase(1e4), async (given: AttentionCase) => {
      const { spec, queries, keys, q, k, v } = given;
      const attention = attentionOf(spec);
      const got = await attention.attend(0, q, queries, k, v, keys);
      await attention.close();
      const exact = partialAttention(
        spec,
        { rows: matrixOf(q), positions: queries },
        { rows: matrixOf(k), positions: keys },
        matrixOf(v),
      );
      assert.deepEqual([got.u.shape, got.m.shape, got.e.shape], [exact.u.shape, exact.m.shape, exact.e.shape]);
      const finite = exact.m.data.filter(Number.isFinite).map(Math.abs);
      // Before the cap, which is where rounding happens.
      const logit = spec.softCap === null ? Math.max(0, ...finite) : 1e4;
      const [mixed, expected] = [attentionOutput(got), attentionOutput(exact)];
      for (let cell = 0; cell < exact.m.data.length; cell++) {
        const query = queries[Math.floor(cell / spec.heads)];
        const at = [cell * spec.headDim, (cell + 1) * spec.headDim] as const;
        if (!keys.some((key) => isVisible(spec, query, key))) {
          assert.deepEqual([got.m.data[cell], got.e.data[cell]], [-Infinity, 0]);
          assert.ok(got.u.data.subarray(...at).every((value) => value === 0));
          continue;
        }
        assert.ok(
          Math.abs(got.m.data[cell] - exact.m.data[cell]) <= bound(logit),
          `m: ${got.m.data[cell]}, ${exact.m.data[cell]}`,
        );
        assert.ok(got.e.data[cell] >= 1 && got.e.data[cell] <= keys.length * (1 + FLOAT32_UNIT * keys.length));
        const error = maxError(mixed.data.subarray(...at), expected.data.subarray(...at));
        // Values reach 3; a factor's error moves the mixture by at most that times the spread of the values, 6.
        assert.ok(error <= 6 * Math.min(1, bound(logit)), `u/e: ${error}`);
      }
    }),
    propertyRuns(150),
  );
});

test("an engine for attention alone needs no weights and says so when asked for another stage", async () => {
  const { model, golden } = await openGolden("mistral-window");
  const [alone, whole] = [
    await attentionEngine({ spec: model.spec, program: model.program }, { threads: 1 }),
    await onnxEngine(model, { threads: 1 }),
  ];
  const positions = golden.ids.map((_, t) => t);
  const { q, k, v } = await whole.pre(0, await whole.embed(golden.ids, positions), positions);
  assert.deepEqual(
    await alone.attend(0, q, positions, k, v, positions),
    await whole.attend(0, q, positions, k, v, positions),
  );
  await assert.rejects(
    alone.post(0, q, q),
    /post: expected an engine with this stage, got one that runs attention alone/,
  );
  await alone.close();
  await whole.close();
  await model.close();
});

test("wrong input is refused by name before it reaches a graph", async () => {
  const { model } = await openGolden("gpt2");
  const engine = await onnxEngine(model, { threads: 1, stages: [] });
  const x: Tensor = { data: new Float32Array(2 * 48), shape: [2, 48] };
  await assert.rejects(engine.embed([256], [0]), /token id: expected an integer from 0 to 255, got 256/);
  await assert.rejects(engine.embed([1], [128]), /position: expected an integer from 0 to 127, got 128/);
  await assert.rejects(
    engine.pre(0, { data: new Float32Array(94), shape: [2, 47] }, [0, 1]),
    /pre x: expected \[rows, 48\], got \[2, 47\]/,
  );
  await assert.rejects(engine.pre(0, x, [0]), /pre: expected a position for each of 2 rows, got 1/);
  await assert.rejects(
    engine.attend(0, x, [0, 1], x, x, [0]),
    /attend k: expected 48 elements for these positions, got 96/,
  );
  await assert.rejects(
    engine.head({ data: new Float64Array(48), shape: [1, 48] }),
    /expected float32 elements, got float64/,
  );
  const whole = await monolithicModel(model, { threads: 1 });
  await assert.rejects(whole.begin().extend([-1]), /token id: expected an integer from 0 to 255, got -1/);
  await assert.rejects(whole.begin().extend([]), /expected at least one token/);
  await assert.rejects(
    whole.begin().extend(Array.from({ length: 129 }, () => 1)),
    /expected at most 128 tokens, got 129/,
  );
  await whole.close();
  await engine.close();
  await model.close();
});

test("an encoder's text can't be continued", async () => {
  const { model, golden } = await openGolden("bert");
  const whole = await monolithicModel(model, { threads: 1 });
  const sequence = whole.begin();
  await sequence.extend(golden.ids);
  await assert.rejects(sequence.extend([1]), /expected the whole text at once, as this bert model sees both ways/);
  await whole.close();
  await model.close();
});

test("the weight file holds every parameter, is written once, and again when it isn't whole", async () => {
  const { model } = await openGolden("gpt2");
  const file = await prepareWeights(model);
  const bytes = await readFile(file.path);
  for (const [name, { offset, bytes: length, shape }] of file.ranges) {
    const isTurned = shape.length === 2 && shape[0] !== model.parameters.get(name)!.spec.shape[0];
    const expected = await model.load(name, isTurned || /\.(q|k|v|o|up|down)\.weight$/.test(name) ? "outIn" : "inOut");
    assert.equal(Buffer.compare(bytes.subarray(offset, offset + length), Buffer.from(expected.buffer)), 0, name);
  }
  await utimes(file.path, 1, 1);
  await prepareWeights(model);
  assert.equal((await stat(file.path)).mtimeMs, 1000, "expected the file left as it is");
  await writeFile(file.path, bytes.subarray(0, 1000));
  await prepareWeights(model);
  assert.ok(bytes.equals(await readFile(file.path)));
  await model.close();
});

test("a cache that can't be written is refused by its path, and the model still opens", async () => {
  const previous = process.env.WEIR_CACHE;
  process.env.WEIR_CACHE = path.join(await scratch.write("in-the-way", ""), "cache");
  try {
    const { model } = await openGolden("llama-gqa");
    await assert.rejects(onnxEngine(model, { threads: 1 }), {
      name: "CacheError",
      message: /in-the-way.*: expected a folder that can be written, got ENOTDIR; set WEIR_CACHE to another folder/,
    });
    await model.close();
  } finally {
    process.env.WEIR_CACHE = previous;
  }
});

const PREPARE = (folder: string): string => `
  const { openModel } = await import(${JSON.stringify(path.resolve(import.meta.dirname, "../../layers/model.ts"))});
  const { prepareWeights } = await import(${JSON.stringify(path.resolve(import.meta.dirname, "../../layers/onnx/weight-file.ts"))});
  const model = await openModel(${JSON.stringify(folder)});
  await prepareWeights(model);
  await model.close();`;

test(
  "processes that start at once prepare the weights together, and a dead one's lock is taken over",
  { timeout: 60_000 },
  async () => {
    const { model } = await openGolden("qwen3");
    const cache = path.join(scratch.path, "cache-of-many");
    const previous = process.env.WEIR_CACHE;
    process.env.WEIR_CACHE = cache;
    try {
      const { folder, path: file } = await prepareWeights(model);
      const expected = await readFile(file);
      await rm(file);
      // A process that is surely gone by now.
      const gone = spawn(process.execPath, ["-e", ""]);
      await once(gone, "exit");
      await writeFile(`${file}.lock`, String(gone.pid));
      const runs = [1, 2, 3].map(async () => {
        const child = spawn(
          process.execPath,
          ["--import", "tsx", "--input-type=module", "-e", PREPARE(path.join(MODELS_FOLDER, "qwen3"))],
          {
            env: { ...process.env, WEIR_CACHE: cache },
            stdio: ["ignore", "inherit", "inherit"],
          },
        );
        assert.deepEqual((await once(child, "exit"))[0], 0);
      });
      await Promise.all(runs);
      assert.ok(expected.equals(await readFile(file)));
      assert.deepEqual(await readdir(folder), [path.basename(file)], "expected no lock or part left behind");
    } finally {
      process.env.WEIR_CACHE = previous;
      await model.close();
    }
  },
);

const onLinux = process.platform === "linux" ? false : "reads /proc, which only Linux has";

test("weights are mapped from the file and not copied", { skip: onLinux }, async () => {
  const { model } = await openGolden("llama-gqa");
  const { path: file } = await prepareWeights(model);
  const engine = await onnxEngine(model, { threads: 1 });
  const maps = (await readFile("/proc/self/maps", "utf8")).split("\n").filter((line) => line.endsWith(file));
  assert.ok(maps.length > 0, "expected the weight file among the process's mappings");
  await engine.close();
  await model.close();
});
