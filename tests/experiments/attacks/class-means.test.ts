/** Closed-form probes on planted rows, where the answer is known. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { ClassMeans } from "../../../experiments/attacks/probes/class-means.ts";
import { ClassStatistics } from "../../../experiments/attacks/probes/class-statistics.ts";
import type { LinearProbe } from "../../../experiments/attacks/probes/linear-probe.ts";
import { nearestProbe } from "../../../experiments/attacks/probes/nearest.ts";
import { ridgeProbe } from "../../../experiments/attacks/probes/ridge.ts";
import type { RowProbe } from "../../../experiments/attacks/probes/row-probe.ts";
import { truthRanks } from "../../../experiments/attacks/probes/truth-ranks.ts";
import { whitening } from "../../../experiments/attacks/probes/whitening.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";

const [CLASSES, WIDTH, UNSEEN] = [60, 16, 50];
/** Features 0 to 2 carry large noise and nothing else; the others carry the class, with small noise. */
const LOUD = 3;

interface Planted {
  readonly rows: Float32Array;
  readonly ids: number[];
}

const normal = (chance: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());

const classChance = seededChance("class means");
/** [CLASSES, WIDTH] */
const MEANS = Float64Array.from({ length: CLASSES * WIDTH }, () => normal(classChance));

function plant(count: number, classes: number, seed: string): Planted {
  const chance = seededChance(seed);
  const ids = Array.from({ length: count }, (_, row) => row % classes);
  const rows = Float32Array.from({ length: count * WIDTH }, (_, at) => {
    const feature = at % WIDTH;
    const id = ids[Math.floor(at / WIDTH)];
    return MEANS[id * WIDTH + feature] + (feature < LOUD ? 40 : 0.3) * normal(chance);
  });
  return { rows, ids };
}

describe("probes of planted rows", () => {
  let product: Float64Product;
  let statistics: ClassStatistics;
  // Classes from UNSEEN on never occur in training; their reference rows, like all others, are off by a constant.
  const references = MEANS.map((mean) => mean + 0.7);
  const tested = plant(600, CLASSES, "tested");

  before(async () => {
    product = await Float64Product.open(1);
    statistics = new ClassStatistics(WIDTH, CLASSES);
    const { rows, ids } = plant(2000, UNSEEN, "training");
    await statistics.add(product, rows, ids);
  });
  after(() => product.close());

  const top1 = async (probe: RowProbe, { rows, ids }: Planted, counted: (id: number) => boolean = () => true) => {
    const ranks = await truthRanks(product, probe, rows, ids);
    const kept = ranks.filter((_, row) => counted(ids[row]));
    return kept.filter((rank) => rank === 0).length / kept.length;
  };
  const classMeans = async (): Promise<LinearProbe> =>
    (await ClassMeans.fit(product, statistics, references)).probe({ priorRows: null, frequencyWeight: 0 });

  it("class means see through loud features that hide the class from nearest neighbours", async () => {
    const probe = await classMeans();
    assert.ok((await top1(probe, tested)) > 0.97);
    assert.ok((await top1(probe, tested, (id) => id >= UNSEEN)) > 0.95, "classes without training rows");
    for (const distance of ["l2", "cosine"] as const)
      assert.ok((await top1(nearestProbe(distance, MEANS, WIDTH), tested)) < 0.2, distance);
  });

  it("without reference rows a class that never occurred isn't found, and the others are", async () => {
    const probe = (await ClassMeans.fit(product, statistics, null)).probe({ priorRows: null, frequencyWeight: 0 });
    assert.ok((await top1(probe, tested, (id) => id < UNSEEN)) > 0.95);
    // All of them have the same score, so one may be hit by its place in the order alone.
    assert.ok((await top1(probe, tested, (id) => id > UNSEEN)) === 0);
  });

  it("ridge regression finds classes that occurred, of one-hots and of embeddings", async () => {
    const oneHot = await ridgeProbe(product, statistics, { penalty: 1e-3, embeddings: null });
    assert.ok((await top1(oneHot, tested, (id) => id < UNSEEN)) > 0.8);
    const embeddings = { data: Float32Array.from(MEANS), width: WIDTH };
    const embedded = await ridgeProbe(product, statistics, { penalty: 1e-3, embeddings });
    assert.ok((await top1(embedded, tested, (id) => id >= UNSEEN)) > 0.8, "a map onto embeddings carries over");
  });

  it("noise is at chance", async () => {
    const chance = seededChance("noise");
    const rows = Float32Array.from({ length: 600 * WIDTH }, () => 3 * normal(chance));
    const hits = await top1(await classMeans(), { rows, ids: tested.ids });
    assert.ok(hits < 0.06, `${hits}, expected about 1 in ${CLASSES}`);
  });

  it("ranks one row as it ranks many, and the same again", async () => {
    for (const make of [
      classMeans,
      () => Promise.resolve(nearestProbe("cosine", references, WIDTH)),
      () => ridgeProbe(product, statistics, { penalty: 1e-3, embeddings: null }),
    ]) {
      const [probe, again] = [await make(), await make()];
      const scores = await probe.scoreAll(product, tested.rows);
      for (let row = 0; row < 20; row++) {
        const one = tested.rows.subarray(row * WIDTH, (row + 1) * WIDTH);
        const { ids, scores: ranked } = probe.rank(one, 5);
        const own = scores.subarray(row * CLASSES, (row + 1) * CLASSES);
        const expected = [...own.keys()].sort((a, b) => own[b] - own[a]).slice(0, 5);
        assert.deepEqual(ids, expected);
        ids.forEach((id, at) => assert.ok(Math.abs(own[id] - ranked[at]) < 1e-6 * (1 + Math.abs(own[id]))));
        assert.deepEqual(again.rank(one, 5), { ids, scores: ranked });
      }
    }
    assert.throws(
      () => nearestProbe("l2", references, WIDTH).rank(new Float32Array(3), 1),
      /nearest-l2: expected a row of 16/,
    );
  });

  it("equal scores don't count as found", async () => {
    const flat = nearestProbe("l2", new Float64Array(CLASSES * WIDTH), WIDTH);
    assert.deepEqual(await truthRanks(product, flat, tested.rows.subarray(0, 3 * WIDTH), [0, 7, 59]), [0, 7, 59]);
  });
});

describe("whitening", () => {
  it("gives T with T Tᵀ the inverse, and refuses what isn't positive definite", () => {
    const n = 7;
    const chance = seededChance("whitening");
    const b = Float64Array.from({ length: n * n }, () => chance() - 0.5);
    const entry = (of: (i: number, j: number) => number): Float64Array =>
      Float64Array.from({ length: n * n }, (_, at) => of(Math.floor(at / n), at % n));
    const sum = (of: (k: number) => number): number =>
      Array.from({ length: n }, (_, k) => of(k)).reduce((x, y) => x + y, 0);
    const a = entry((i, j) => sum((k) => b[i * n + k] * b[j * n + k]) + (i === j ? 0.1 : 0));
    const t = whitening(a, n);
    const identity = entry((i, j) => sum((k) => t[k * n + i] * sum((l) => a[k * n + l] * t[l * n + j])));
    identity.forEach((value, at) => assert.ok(Math.abs(value - (at % (n + 1) === 0 ? 1 : 0)) < 1e-9));
    assert.throws(() => whitening(new Float64Array([1, 1, 1, 1]), 2), /positive definite/);
  });
});
