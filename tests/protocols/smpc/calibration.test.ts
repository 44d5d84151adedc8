import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { openModel, type Model } from "../../../layers/model.ts";
import { isVisible } from "../../../layers/reference/attention.ts";
import { parameterReader, referenceEngine } from "../../../layers/reference/engine.ts";
import { plainForward } from "../../../layers/reference/plain-forward.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import type { Batch } from "../../../protocols/smpc/calibration/batch.ts";
import { calibrate } from "../../../protocols/smpc/calibration/calibrate.ts";
import { calibrationText } from "../../../protocols/smpc/calibration/calibration-text.ts";
import { loadRanges, rangesFileOf, readRanges } from "../../../protocols/smpc/calibration/load-ranges.ts";
import { rangeOfSite, withMargin } from "../../../protocols/smpc/calibration/margins.ts";
import { observeInRuntime } from "../../../protocols/smpc/calibration/observe-in-runtime.ts";
import { observeLayers } from "../../../protocols/smpc/calibration/observe-layers.ts";
import { readableModel, type LayerSpan } from "../../../protocols/smpc/calibration/readable-model.ts";
import { lowerLayers } from "../../../protocols/smpc/lowering/lower-layers.ts";
import { columnBounds, encodeColumns } from "../../../protocols/smpc/lowering/column-bounds.ts";
import type { ModelRanges, SiteRange } from "../../../protocols/smpc/lowering/ranges.ts";
import { ParameterStatistics } from "../../../protocols/smpc/factors/parameter-statistics.ts";
import { MODEL_NAMES, openGolden } from "../../layers/golden-models.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const scratch = await scratchFolder();
process.env.WEIR_CACHE = path.join(scratch.path, "cache");

const whole = ({ spec }: Model): LayerSpan => ({ from: 0, to: spec.layers, head: true });
const near = (got: number | undefined, expected: number, what: string): void =>
  assert.ok(
    got !== undefined && Math.abs(got - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
    `${what}: expected ${expected}, got ${got}`,
  );
const largest = (values: Iterable<number>): number => {
  let max = 0;
  for (const value of values) max = Math.max(max, Math.abs(value));
  return max;
};

for (const name of MODEL_NAMES) {
  test(`${name}: the sites observed are those that the lowering asks for`, async () => {
    const { model } = await openGolden(name);
    const ranges = await calibrate(model, await calibrationText(model, null), whole(model));
    const reader = parameterReader(model);
    const { spec, program } = model;
    await reader.load((a) => [program.finish(a, spec, null), program.logits?.(a, spec, null)]);
    for (let layer = 0; layer < spec.layers; layer++)
      await reader.load((a) => [program.pre(a, spec, layer, null), program.post(a, spec, layer, null, null)]);
    const asked = new Set<string>();
    const byName = rangeOfSite(ranges);
    // Rows may leave after any layer.
    const runs = Array.from({ length: spec.layers }, (_, layer) => ({ from: layer, to: layer + 1, head: false }));
    for (const run of [whole(model), ...runs])
      lowerLayers({
        spec,
        program,
        statistics: new ParameterStatistics(reader.parameter),
        ranges: (site) => (asked.add(site), byName(site)),
        ...run,
        rows: 4,
        past: 0,
        sequenceLimit: 8,
      });
    assert.deepEqual([...asked].sort(), Object.keys(ranges.sites).sort());
    await model.close();
  });

  test(`${name}: what is observed is what the float64 reference says`, async () => {
    const { model, golden } = await openGolden(name);
    const { spec } = model;
    const ids = golden.ids.slice(0, 12);
    const batch = { ids, lengths: [ids.length], rows: null };
    const sites = (await observeLayers(readableModel(model), [batch], whole(model))).ranges();
    for (const [site, { maxAbs, columns }] of sites) {
      if (columns === undefined) continue;
      const widest = Math.max(...columnBounds(columns));
      assert.ok(maxAbs <= widest && widest <= Math.max(maxAbs, 1 / 16) * Math.SQRT2, site);
    }
    const { hidden, logits } = await plainForward(model, ids);
    const engine = await referenceEngine(model);
    for (let layer = 0; layer < spec.layers; layer++) {
      // The last hidden state has had the final norm.
      if (layer + 1 < spec.layers || spec.modelType === "bert")
        near(sites.get(`layers.${layer}.out.0`)?.maxAbs, largest(hidden[layer + 1].data), `out ${layer}`);
      const positions = ids.map((_, t) => t);
      const { q, k } = await engine.pre(layer, hidden[layer], positions);
      const expected = logitEnds(engine.attention(layer), q.data, k.data, ids.length);
      for (const [key, value] of Object.entries(expected))
        near(sites.get(`layers.${layer}.logits.0`)?.[key as keyof typeof expected], value, `logits ${layer}, ${key}`);
    }
    near(sites.get("head.out.0")?.maxAbs, largest(hidden[spec.layers].data), "finished rows");
    if (logits !== null) near(sites.get("head.out.1")?.maxAbs, largest(logits.data), "head logits");
    await model.close();
  });
}

/** Float32 beside float64, relative to the largest end of the site: some hundred roundings of 2^-24. Margins are 0.15 and more. */
const FLOAT32_BOUND = 2e-5;

/** Asserts that two readings say the same of every site. */
function assertSameSites(
  got: ReadonlyMap<string, SiteRange>,
  expected: ReadonlyMap<string, SiteRange>,
  bound: number,
): void {
  assert.deepEqual([...got.keys()].sort(), [...expected.keys()].sort());
  for (const [site, range] of expected) {
    const { columns, range: _range, ...ends } = range;
    const other = got.get(site)!;
    const size = Math.max(...Object.values(ends).map((end) => Math.abs(Number(end))));
    for (const [key, value] of Object.entries(ends)) {
      const difference = Math.abs(Number(other[key as keyof SiteRange]) - Number(value));
      assert.ok(difference <= bound * size, `${site} ${key}: expected ${value}, got ${other[key as keyof SiteRange]}`);
    }
    // Half bits: one that lies at an end may fall on either side of it.
    const [a, b] = [columns ?? "", other.columns ?? ""].map(columnBounds);
    assert.ok(a.length === b.length && a.every((value, c) => Math.abs(Math.log2(value / b[c])) <= 0.51), site);
  }
}

for (const name of MODEL_NAMES)
  test(`${name}: what ONNX Runtime observes is what float64 does, for any sequences`, async () => {
    const { model, golden } = await openGolden(name);
    const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(cuts, { minLength: 1, maxLength: 2 }), async (lengths) => {
        const batches = lengths.map((each, at) => {
          const ids = each.flatMap((length, i) => golden.ids.slice(at + i, at + i + length));
          const rows = each.map((length, i) => golden.ids.slice(at + i, at + i + length).length);
          return { ids, lengths: rows, publicRows: rows.map((count) => (count > 4 ? count % 4 : 0)), rows: null };
        });
        const reference = (await observeLayers(readableModel(model), batches, whole(model))).ranges();
        for (const site of reference.keys()) if (site.startsWith("embed")) reference.delete(site);
        assertSameSites((await observeInRuntime(model, batches, whole(model))).ranges(), reference, FLOAT32_BOUND);
      }),
      { numRuns: 4 },
    );
    await model.close();
  });

for (const name of ["llama-gqa", "mistral-window", "gemma2", "gpt2"])
  test(`${name}: public rows of a sequence are attended and not observed`, async () => {
    const { model, golden } = await openGolden(name);
    const observed = async (batch: Omit<Batch, "rows">): Promise<Map<string, SiteRange>> =>
      (await observeInRuntime(model, [{ ...batch, rows: null }], whole(model))).ranges();
    const [ids, other] = [golden.ids.slice(0, 11), golden.ids.slice(3, 9)];
    const lengths = [ids.length, other.length];
    const all = await observed({ ids: [...ids, ...other], lengths });
    for (const split of [1, 4, 10]) {
      const behind = await observed({ ids: [...ids, ...other], lengths, publicRows: [split, other.length] });
      // Causal: the first rows alone are what they are in the whole sequence.
      const before = await observed({ ids: [...ids.slice(0, split), ...other], lengths: [split, other.length] });
      for (const [site, range] of all)
        for (const [key, value] of Object.entries(range)) {
          if (typeof value !== "number") continue;
          const pick = ["low", "diagonalLow", "minSquare"].includes(key) ? Math.min : Math.max;
          const ends = [before, behind].map((each) => each.get(site)![key as "maxAbs"]);
          const got = pick(...ends);
          assert.ok(Math.abs(got - value) <= FLOAT32_BOUND * Math.max(1, Math.abs(value)), `${site} ${key}: ${got}`);
        }
      const alone = await observed({ ids: ids.slice(0, split + 1), lengths: [split + 1], publicRows: [split] });
      assert.ok(
        [...alone].some(([site, { maxAbs }]) => maxAbs < 0.9 * before.get(site)!.maxAbs),
        "one row has smaller values than all rows before it at some site",
      );
    }
    await model.close();
  });

/** The ends of the logits of one sequence, written out entry by entry. */
function logitEnds(
  spec: Parameters<typeof isVisible>[0],
  q: ArrayLike<number>,
  k: ArrayLike<number>,
  rows: number,
): Record<"maxAbs" | "low" | "high" | "spread", number> {
  const { heads, kvHeads, headDim, scale, softCap, window } = spec;
  const ends = { maxAbs: 0, low: Infinity, high: -Infinity, spread: 0 };
  for (let head = 0; head < heads; head++) {
    for (let r = 0; r < rows; r++) {
      const row = Array.from({ length: rows }, (_, s) => {
        if (!isVisible(spec, r, s)) return null;
        let dot = 0;
        for (let i = 0; i < headDim; i++)
          dot +=
            q[r * heads * headDim + head * headDim + i] *
            k[s * kvHeads * headDim + Math.floor((head * kvHeads) / heads) * headDim + i];
        ends.maxAbs = Math.max(ends.maxAbs, Math.abs(scale * dot));
        return softCap === null ? scale * dot : softCap * Math.tanh((scale * dot) / softCap);
      });
      const seen = row.filter((value) => value !== null);
      ends.spread = Math.max(ends.spread, Math.max(...seen) - Math.min(...seen));
      const pivots = [softCap === null ? row[0] : null, softCap !== null || window !== null ? row[r] : null];
      for (const pivot of pivots.filter((value) => value !== null)) {
        ends.low = Math.min(ends.low, ...seen.map((value) => value - pivot));
        ends.high = Math.max(ends.high, ...seen.map((value) => value - pivot));
      }
    }
  }
  return ends;
}

test("the mean squares at a norm are those of its rows, and of its heads", async () => {
  const { model, golden } = await openGolden("qwen3");
  const { spec } = model;
  const batch = { ids: golden.ids, lengths: [golden.ids.length], rows: null };
  const sites = (await observeLayers(readableModel(model), [batch], { from: 0, to: 1, head: false })).ranges();
  const { hidden } = await plainForward(model, golden.ids);
  const squares = Array.from(golden.ids, (_, r) => {
    const row = hidden[0].data.subarray(r * spec.width, (r + 1) * spec.width);
    return row.reduce((sum, value) => sum + value * value, 0) / spec.width;
  });
  near(sites.get("layers.0.norm.0")?.minSquare, Math.min(...squares), "smallest");
  near(sites.get("layers.0.norm.0")?.maxSquare, Math.max(...squares), "largest");
  // Norms of q heads, of k heads, and of the MLP.
  assert.deepEqual(
    [...sites.keys()].filter((site) => site.includes("norm")),
    [0, 1, 2, 3].map((i) => `layers.0.norm.${i}`),
  );
  await model.close();
});

test("sequences of one batch don't see one another", async () => {
  const { model, golden } = await openGolden("mistral-window");
  const [a, b] = [golden.ids.slice(0, 5), golden.ids.slice(5, 12)];
  const run = async (groups: readonly (readonly (readonly number[])[])[]): Promise<[string, SiteRange][]> => {
    const batches = groups.map((group) => ({
      ids: group.flat(),
      lengths: group.map(({ length }) => length),
      rows: null,
    }));
    return [...(await observeLayers(readableModel(model), batches, whole(model))).ranges()];
  };
  const [together, apart] = [await run([[a, b]]), await run([[a], [b]])];
  assert.deepEqual(
    together.map(([site]) => site),
    apart.map(([site]) => site),
  );
  together.forEach(([site, range], i) => {
    for (const [key, value] of Object.entries(range))
      if (typeof value === "number") near(apart[i][1][key as "maxAbs"], value, `${site} ${key}`);
  });
  await model.close();
});

test("a margin widens what was observed and leaves what is certified", () => {
  const seen: SiteRange = {
    range: "calibrated",
    maxAbs: 8,
    low: -10,
    high: 4,
    spread: 12,
    minSquare: 0.5,
    maxSquare: 2,
  };
  const wider = withMargin(seen);
  assert.equal(wider.maxAbs, 10);
  assert.ok(wider.low! < -11 && wider.high! > 5 && wider.spread! > 13);
  assert.ok(wider.minSquare! < 0.4 && wider.maxSquare! > 2.5);
  assert.deepEqual(withMargin({ range: "calibrated", maxAbs: 4 }), { range: "calibrated", maxAbs: 5 });
  const certified: SiteRange = { range: "certified", maxAbs: 8 };
  assert.equal(withMargin(certified), certified);
  const widened: SiteRange = { ...seen, widened: true };
  assert.equal(withMargin(widened), widened, "margins aren't added twice");
  const neurons = encodeColumns(Float64Array.of(0, 0.9, 8, 9, 1e9));
  assert.deepEqual([...columnBounds(neurons)], [1 / 16, 1, 8, 2 ** 3.5, Infinity]);
  for (const kind of ["calibrated", "certified"] as const) {
    const { columns } = withMargin({ range: kind, maxAbs: 9, columns: neurons });
    assert.deepEqual([...columnBounds(columns!)], [1 / 8, 2, 16, 2 ** 4.5, Infinity]);
  }
  const ranges: ModelRanges = { model: "", source: "", sites: { "layers.0.out.0": seen } };
  assert.deepEqual(rangeOfSite(ranges)("layers.0.out.0"), wider);
  assert.throws(() => rangeOfSite(ranges)("layers.0.norm.1"), /range of layers\.0\.norm\.1: expected one, got none/);
});

test("held-out text stays within the ranges that come with the default model", async () => {
  const model = await openModel(DEFAULT_MODEL);
  const steps: string[] = [];
  const ranges = await loadRanges(model, whole(model), (step) => steps.push(step));
  assert.deepEqual(steps, [], "expected the file beside the model to be read");
  const tokenizer = await openTokenizer(model.path);
  const text = await readFile(path.join(DEFAULT_MODEL, "heldout.txt"), "utf8");
  const sequences = text
    .trim()
    .split("\n")
    .map((line) => tokenizer.encode(line));
  const batch = { ids: sequences.flat(), lengths: sequences.map(({ length }) => length), rows: null };
  const seen = (await observeLayers(readableModel(model), [batch], whole(model))).ranges();
  for (const [site, range] of seen) {
    const allowed = rangeOfSite(ranges)(site);
    for (const key of ["maxAbs", "high", "spread", "diagonalHigh", "maxSquare"] as const)
      if (allowed[key] !== undefined) assert.ok(range[key]! <= allowed[key], `${site} ${key}: ${range[key]}`);
    for (const key of ["low", "diagonalLow", "minSquare"] as const)
      if (allowed[key] !== undefined) assert.ok(range[key]! >= allowed[key], `${site} ${key}: ${range[key]}`);
    if (range.columns === undefined) continue;
    const [seenColumns, bounds] = [columnBounds(range.columns), columnBounds(allowed.columns!)];
    seenColumns.forEach((value, c) => assert.ok(value <= bounds[c], `${site}, neuron ${c}: ${value}`));
  }
  await model.close();
});

test("ranges are made once for a model that has none, and kept", async () => {
  const { model } = await openGolden("llama-gqa");
  const span = { from: 1, to: 2, head: false };
  const steps: string[] = [];
  const made = await loadRanges(model, span, (step) => steps.push(step));
  assert.match(steps[0], /observing the ranges of layers 1 to 1/);
  assert.equal(made.model, model.fingerprint);
  assert.match(made.source, /random tokens/);
  assert.ok(Object.keys(made.sites).every((site) => site.startsWith("layers.1.")));
  steps.length = 0;
  const kept = await loadRanges(model, span, (step) => steps.push(step));
  assert.deepEqual(steps, []);
  assert.deepEqual(Object.keys(kept.sites), Object.keys(made.sites));
  await model.close();
});

test("a file of ranges that can't be used is refused by name", async () => {
  const { model } = await openGolden("llama-gqa");
  const span = { from: 0, to: 1, head: false };
  const good = await calibrate(model, await calibrationText(model, null), span);
  const refused = async (name: string, content: unknown, fault: RegExp): Promise<void> => {
    const file = path.join(scratch.path, name);
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
    await assert.rejects(readRanges(file, model, span), (error: Error) => {
      assert.equal(error.name, "ModelFileError");
      assert.ok(error.message.startsWith(`${file}: `), error.message);
      assert.match(error.message, fault);
      return true;
    });
  };
  const site = (range: object): ModelRanges => ({
    ...good,
    sites: { ...good.sites, "layers.0.norm.0": range as SiteRange },
  });
  const file = path.join(scratch.path, "good.json");
  await writeFile(file, JSON.stringify(good));
  assert.deepEqual(await readRanges(file, model, span), good);
  await refused("broken.json", "{", /JSON at line 1/);
  await refused(
    "model.json",
    { ...good, model: "0".repeat(64) },
    /model: expected the ranges of llama-gqa .*, got another/,
  );
  await refused("key.json", { ...good, extra: 1 }, /extra/);
  await refused("negative.json", site({ range: "calibrated", maxAbs: -1 }), /sites\.layers\.0\.norm\.0\.maxAbs/);
  await refused("kind.json", site({ range: "guessed", maxAbs: 1 }), /sites\.layers\.0\.norm\.0\.range/);
  await refused("infinite.json", JSON.stringify(good).replace(/"maxAbs":[\d.]+/, '"maxAbs":1e999'), /maxAbs/);
  const turned = { range: "calibrated", maxAbs: 1, minSquare: 2, maxSquare: 1 };
  await refused("order.json", site(turned), /expected minSquare at most maxSquare, got 2 and 1/);
  await refused("half.json", site({ range: "calibrated", maxAbs: 1, low: 2 }), /expected low and high or neither/);
  await assert.rejects(
    readRanges(file, model, { from: 0, to: 2, head: false }),
    /expected layers\.1\.out\.0, got none/,
  );
  assert.equal(rangesFileOf(model), path.join(model.path, "smpc-ranges.json"));
  await model.close();
});

test("calibration text: passages of a file, and what is refused", async () => {
  const model = await openModel(DEFAULT_MODEL);
  const tokenizer = await openTokenizer(model.path);
  const file = await scratch.write(
    "passages.txt",
    "# a comment\nOne line,\nand another.\n\n# more\n\nA second passage.\n",
  );
  const { sequences } = await calibrationText(model, file);
  assert.deepEqual(sequences, [tokenizer.encode("One line,\nand another."), tokenizer.encode("A second passage.")]);
  const empty = await scratch.write("empty.txt", "# nothing but a comment\n\n");
  await assert.rejects(calibrationText(model, empty), /empty\.txt: calibration text: expected passages/);
  const span = { from: 0, to: 1, head: false };
  await assert.rejects(calibrate(model, { source: "", sequences: [[]] }, span), /expected some tokens, got none/);
  await assert.rejects(calibrate(model, { source: "", sequences: [[1e6]] }, span), /token id: expected an integer/);
  for (const wrong of [
    { from: 0, to: 99, head: false },
    { from: 2, to: 2, head: false },
    { from: 0, to: 1, head: true },
  ])
    await assert.rejects(calibrate(model, { source: "", sequences: [[1]] }, wrong), /expected/);
  await model.close();
});
