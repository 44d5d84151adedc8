/** Own tokens from hidden rows of real sessions on a small model, and the curve study on its texts. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { noiseView } from "../../../experiments/attacks/controls/noise-view.ts";
import { rowInvert } from "../../../experiments/attacks/methods/row-invert.ts";
import { OWN_TOKEN_PROBES } from "../../../experiments/attacks/probes/own-token-probes.ts";
import { CURVE_FILES, CurveTexts } from "../../../experiments/attacks/studies/curve-texts.ts";
import { studyOwnTokenCurve } from "../../../experiments/attacks/studies/own-token-curve.ts";
import type { StudyRow } from "../../../experiments/attacks/studies/study-output.ts";
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

  it("finds all tokens at the embedding and nearly all a layer on, with every kind of row and by noise none", async () => {
    const rows: StudyRow[] = [];
    await studyOwnTokenCurve({
      texts,
      options,
      layers: [0, 1],
      kinds: ["row", "normed", "kv"],
      probes: [...OWN_TOKEN_PROBES],
      isDone: ({ setting }) => setting.layer === 0 && setting.kind === "kv",
      write: (row) => rows.push(row),
      report: () => {},
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
  });
});
