/** Own tokens from hidden rows of real sessions on a small model, trained networks, and the curve study on its texts. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { Recovery } from "../../../experiments/lab/attack.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { rowInvert } from "../../../experiments/attacks/row-invert/attack.ts";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { float32Of, integersOf, readSafetensorsFile } from "../../../layers/weights/safetensors-file.ts";
import { GraphBuilder } from "../../../layers/onnx/graph-builder.ts";
import { OWN_TOKEN_PROBES } from "../../../experiments/attacks/probes/own-token-probes.ts";
import { RowNetwork } from "../../../experiments/attacks/probes/row-network.ts";
import { truthRanks } from "../../../experiments/attacks/probes/truth-ranks.ts";
import { exportRows } from "../../../experiments/attacks/recipe/row-export.ts";
import { CURVE_FILES, CurveTexts } from "../../../experiments/attacks/studies/curve-texts.ts";
import { studyOwnTokenCurve } from "../../../experiments/attacks/studies/own-token-curve.ts";
import type { StudyResult } from "../../../experiments/attacks/studies/study-output.ts";
import { openMatchingModel } from "./matching-model.ts";
import { ProbeScene } from "./probe-scene.ts";

describe("row-invert", () => {
  let scene: ProbeScene;
  before(async () => {
    scene = await ProbeScene.open({ alpha: 2, c: 1, smpcLayers: "none" }, ["comp.1"]);
  });
  after(() => scene.close());

  it("recovers every token that a CompNode holds the row of at layer 0, and nothing from noise", async () => {
    const layer = 0;
    const attack = await rowInvert.prepare(scene.preparation(layer), rowInvert.parseOptions({ trainingTokens: 2000 }));
    const { view, ids } = scene.attacked;
    const { guesses } = await attack.recover(view, scene.known, scene.budget);
    const own = [...view.rows("row", layer).keys()];
    assert.ok(own.length > 5);
    assert.deepEqual(
      own.map((t) => guesses.get(t)?.[0]),
      own.map((t) => ids[t]),
    );
    assert.deepEqual(new Set(guesses.keys()), new Set(own), "no opinion on other positions");
    const noise = await attack.recover(noiseView(view, 1), scene.known, scene.budget);
    const hits = own.filter((t) => noise.guesses.get(t)?.[0] === ids[t]).length;
    assert.ok(hits <= own.length / 5, `${hits} of ${own.length} from noise`);
    const prior = await attack.prior(view, scene.known, scene.budget);
    assert.ok(own.filter((t) => prior.guesses.get(t)?.[0] === ids[t]).length <= own.length / 5);
    assert.equal(new Set([...prior.guesses.values()].map(String)).size, 1, "the prior sees no row");
    await attack.close();
  });

  it("refuses options that it doesn't have", () => {
    assert.throws(() => rowInvert.parseOptions({ probes: [] }), /row-invert: probes/);
    assert.throws(() => rowInvert.parseOptions({ depth: 2 }), /row-invert/);
  });
});

/** Writes a network that scores token i by feature i of the row, and tokens beyond them at 0. */
async function writeNetwork(folder: string, model: string, layer: number, sizes: [number, number]): Promise<void> {
  const [width, vocabulary] = sizes;
  const graph = new GraphBuilder();
  const rows = graph.input("rows", "float32", ["n", width]);
  const padded = graph.node("Pad", [rows, graph.integers([0, 0, 0, vocabulary - width])]);
  graph.output("scores", padded, "float32", ["n", vocabulary]);
  await writeFile(path.join(folder, `${model}-${layer}.onnx`), graph.build("scores"));
  const about = { model, layer, width, vocabulary, trained: "not at all" };
  await writeFile(path.join(folder, `${model}-${layer}.json`), JSON.stringify(about));
}

describe("row networks", () => {
  it("read deep rows of the default model in place of probes that learned from little, but never those of position 0", async () => {
    const layer = 7;
    const scene = await openMatchingModel({ alpha: 1 }, layer, 24);
    const nowhere = await mkdtemp(path.join(tmpdir(), "weir-no-network-"));
    try {
      const { attacked, preparation } = scene;
      const view = attacked.session.view(["comp.0"]).filter(({ kind }) => kind === "row");
      const attackWith = async (given: Readonly<Record<string, unknown>>): Promise<Recovery> => {
        const options = rowInvert.parseOptions({
          trainingTokens: 2000,
          prefixes: 1,
          probes: ["class-means"],
          ...given,
        });
        const attack = await rowInvert.prepare(preparation, options);
        const found = await attack.recover(view, scene.known(), { forwardPasses: 0, seed: 1 });
        await attack.close();
        return found;
      };
      const [plain, read] = [await attackWith({ networks: nowhere }), await attackWith({})];
      assert.deepEqual([plain.figures.network, read.figures.network], [0, 1]);
      const hits = ({ guesses }: Recovery): number =>
        attacked.ids.filter((id, position) => guesses.get(position)?.[0] === id).length;
      assert.ok(hits(read) > hits(plain) && hits(read) >= 20, `${hits(read)} with, ${hits(plain)} without, of 24`);
      assert.deepEqual(read.guesses.get(0), plain.guesses.get(0));
    } finally {
      await scene.close();
      await rm(nowhere, { recursive: true });
    }
  });

  it("score rows as their graph says, and are missed, or refused where they are of another model", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "weir-row-network-"));
    const product = await Float64Product.open(1);
    try {
      await writeNetwork(folder, "toy", 3, [2, 4]);
      const network = await RowNetwork.open(folder, "toy", 3);
      assert.ok(network !== null);
      const rows = Float32Array.of(2, -1, 0.5, 3);
      assert.deepEqual([...(await network.scoreAll(product, rows))], [2, -1, 0, 0, 0.5, 3, 0, 0]);
      assert.deepEqual(await truthRanks(product, network, rows, [2, 0]), [1, 1]);
      assert.equal(network.trained, "not at all");
      await network.close();
      assert.equal(await RowNetwork.open(folder, "toy", 2), null);
      await copyFile(path.join(folder, "toy-3.json"), path.join(folder, "toy-4.json"));
      await assert.rejects(RowNetwork.open(folder, "toy", 4), /expected one for layer 4 of toy, got layer 3 of toy/);
    } finally {
      await product.close();
      await rm(folder, { recursive: true });
    }
  });
});

describe("own-token curve", () => {
  let folder: string;
  let texts: CurveTexts;
  const options = {
    model: CURVE_FILES.model,
    prompts: 3,
    skip: 0,
    calibration: 1,
    tokens: 24,
    promptFile: CURVE_FILES.promptFile,
    trainingFile: new URL("../../../models/calibration/passages.txt", import.meta.url).pathname,
    notSources: [],
    trainingTokens: 2000,
    windowTokens: 32,
    prefixes: 1,
    seed: 1,
  };
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "weir-curve-"));
    const trainingFile = path.join(folder, "training.txt");
    await writeFile(trainingFile, (await readFile(options.trainingFile, "utf8")).replaceAll("\n", " "));
    texts = await CurveTexts.open({ ...options, trainingFile });
  });
  after(async () => {
    await texts.close();
    await rm(folder, { recursive: true });
  });

  it("begins with rows that can be exported for a network to learn from: those that the closed-form probes learn from", async () => {
    const file = path.join(folder, "rows.safetensors");
    await exportRows(texts, 0, file);
    const tensors = await readSafetensorsFile(file);
    const { width, vocabulary } = texts.model.spec;
    const { statistics, references } = await texts.training.look();
    const ids = integersOf(tensors, "text.ids");
    const rows = float32Of(tensors, "text.rows");
    assert.equal(rows.length, ids.length * width);
    const counts = new Int32Array(vocabulary);
    const sums = new Float64Array(vocabulary * width);
    ids.forEach((id, row) => {
      counts[id]++;
      for (let i = 0; i < width; i++) sums[id * width + i] += rows[row * width + i];
    });
    assert.deepEqual(counts, statistics.counts);
    assert.deepEqual(
      [...statistics.sums.entries()].filter(([id, sum]) => sum?.some((value, i) => value !== sums[id * width + i])),
      [],
    );
    assert.deepEqual(
      integersOf(tensors, "vocabulary.ids"),
      Array.from({ length: vocabulary }, (_, id) => id),
    );
    assert.deepEqual(float32Of(tensors, "vocabulary.rows"), Float32Array.from(references));
  });

  it("finds all tokens at the embedding and nearly all a layer on, with every kind of row and by noise none", async () => {
    const rows: StudyResult[] = [];
    const reports: string[] = [];
    await writeNetwork(folder, "default", 1, [texts.model.spec.width, texts.model.spec.vocabulary]);
    await studyOwnTokenCurve({
      texts,
      options,
      layers: [0, 1],
      kinds: ["row", "normed", "kv"],
      probes: [...OWN_TOKEN_PROBES],
      networks: folder,
      isDone: ({ setting }) => setting.layer === 0 && setting.kind === "kv",
      write: (row) => rows.push(row),
      report: (doing) => reports.push(doing),
    });
    assert.deepEqual(
      rows.map(({ setting }) => `${String(setting.layer)} ${String(setting.kind)}`),
      ["0 row", "0 normed", "1 row", "1 normed", "1 kv"],
    );
    for (const { setting, figures, n } of rows) {
      const best = figures.best as { top1: number[]; noiseTop1: number };
      assert.ok(best.top1[0] >= (setting.layer === 0 ? 1 : 0.9), `layer ${String(setting.layer)}: ${best.top1[0]}`);
      assert.ok(best.noiseTop1 < 0.15);
      assert.equal(n, 3);
      assert.equal(figures.rows, 3 * 23);
    }
    const withNetwork = rows.filter(({ figures }) => "mlp" in figures);
    assert.deepEqual(
      withNetwork.map(({ setting }) => `${String(setting.layer)} ${String(setting.kind)}`),
      ["1 row"],
    );
    assert.notEqual((withNetwork[0].figures.best as { name: string }).name, "mlp", "a network that knows nothing");
    assert.deepEqual(reports, ["layer 0", `layer 0: no network in ${folder}`, "layer 1", "layer 1: not at all"]);
  });
});
