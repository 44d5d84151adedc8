/** The tokens before single rows: planted networks on real sessions, and the trained ones of the default model. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import type { Recovery } from "../../../experiments/lab/attack.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { visibleRows } from "../../../experiments/attacks/probes/visible-rows.ts";
import { PRECEDING_NETWORKS, rowDecode } from "../../../experiments/attacks/row-decode/attack.ts";
import { PrecedingNetwork } from "../../../experiments/attacks/row-decode/preceding-network.ts";
import { precedingScores } from "../../../experiments/attacks/row-decode/preceding-scores.ts";
import { GraphBuilder } from "../../../layers/onnx/graph-builder.ts";
import { openMatchingModel, type MatchingModel } from "./matching-model.ts";

const LAYER = 2;
const TOKENS = 16;
const ALPHA = 4;
const TRAINED_LAYERS = [1, 2, 4] as const;
const trained = TRAINED_LAYERS.every((layer) => existsSync(path.join(PRECEDING_NETWORKS, `default-${layer}.onnx`)));
const BUDGET = { forwardPasses: 1e9, seed: 1 };

describe("row-decode", () => {
  let scene: MatchingModel;
  let folder: string;
  before(async () => {
    scene = await openMatchingModel({ alpha: ALPHA, c: 1 }, LAYER, TOKENS);
    folder = await mkdtemp(path.join(tmpdir(), "weir-row-decode-"));
    await writeNetwork(folder, "default", LAYER, [192, 2, 2048]);
  });
  after(async () => {
    await scene.close();
    await rm(folder, { recursive: true });
  });

  const withoutIds = (parties: readonly string[]) =>
    scene.attacked.session.view(parties).filter(({ kind }) => kind !== "ids");
  const hidden = Array.from({ length: TOKENS }, (_, position) => position).filter((p) => p % ALPHA !== 3);

  it("gives each position the scores of its place before the next own row, from that row and its difference alone", async () => {
    const network = await PrecedingNetwork.open(folder, "default", LAYER);
    const rows = withoutIds(["comp.3"]).rows("row", LAYER);
    const own = new Map([...rows.keys()].map((position) => [position, scene.attacked.ids[position]]));
    const scores = await precedingScores(network, scene.engine, LAYER, rows, own);
    await network.close();
    const reached = hidden.filter((position) => position % ALPHA !== 0); // two places before 3, 7, ...
    assert.deepEqual(
      [...scores.keys()].sort((a, b) => a - b),
      reached,
    );
    const position = 7;
    const row = Float32Array.from(rows.get(position)!);
    const alone = (await visibleRows(scene.engine, new Map([[position, own.get(position)!]]), [LAYER])).get(LAYER)!;
    const length = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / 192);
    for (const [place, sign] of [
      [1, 1],
      [2, -1],
    ]) {
      const found = scores.get(position - place)!;
      for (const at of [0, 100]) {
        assert.ok(Math.abs(sign * found[at] - row[at] / length) < 1e-5);
        assert.ok(Math.abs(sign * found[192 + at] - (row[at] - alone.get(position)![at]) / length) < 1e-5);
      }
      assert.equal(Math.abs(found[2047]), 0);
    }
  });

  it("keeps its own tokens and writes what a row says, not what it says of other places", async () => {
    const options = rowDecode.parseOptions({ networks: folder, weights: [1e6] });
    const attack = await rowDecode.prepare(scene.preparation, options);
    const { guesses } = await attack.recover(withoutIds(["comp.3"]), scene.known(), BUDGET);
    await attack.close();
    const { ids } = scene.attacked;
    for (const position of [3, 7, 11, 15]) assert.deepEqual(guesses.get(position), [ids[position]]);
    const rows = withoutIds(["comp.3"]).rows("row", LAYER);
    // Place 1 scores by the row, place 2 by the row with its sign turned: the strongest feature and the weakest one win.
    const network = await PrecedingNetwork.open(folder, "default", LAYER);
    const own = new Map([...rows.keys()].map((position) => [position, ids[position]]));
    for (const [position, nats] of await precedingScores(network, scene.engine, LAYER, rows, own))
      assert.equal(guesses.get(position)![0], nats.indexOf(Math.max(...nats)), `position ${position}`);
    await network.close();
  });

  it("refuses options that it doesn't have, and layers that no network was trained for", async () => {
    assert.throws(() => rowDecode.parseOptions({ weights: [] }), /row-decode: weights/);
    await assert.rejects(PrecedingNetwork.open(folder, "default", 3), /expected .*default-3.onnx.*recipe\/README/);
    await assert.rejects(PrecedingNetwork.open(folder, "other", LAYER), /expected .*other-2.onnx/);
  });

  describe(
    "by the trained networks",
    { skip: trained ? false : "not here: recipe/README.md says how to make them" },
    () => {
      for (const layer of TRAINED_LAYERS)
        it(`scores true tokens before rows of layer ${layer} above what they are by frequency, and not those of other places`, async () => {
          const network = await PrecedingNetwork.open(PRECEDING_NETWORKS, "default", layer);
          const { ids, session } = scene.attacked;
          const rows = session.view(["comp.0", "comp.1", "comp.2", "comp.3"]).rows("row", layer);
          // Truth at each place, and the truth of rows one further on: a network that knew frequencies alone would gain nothing by either.
          let [right, wrong, count] = [0, 0, 0];
          for (const position of Array.from({ length: TOKENS - 4 }, (_, at) => at + 3)) {
            const row = new Map([[position, rows.get(position)!]]);
            const scores = await precedingScores(
              network,
              scene.engine,
              layer,
              row,
              new Map([[position, ids[position]]]),
            );
            right += scores.get(position - 1)![ids[position - 1]];
            wrong += scores.get(position - 1)![ids[(position + 6) % TOKENS]];
            count++;
          }
          await network.close();
          assert.ok(right / count > 1, `${right / count} nats a token`);
          assert.ok(right / count > wrong / count + 1, `${right / count} nats, of other tokens ${wrong / count}`);
        });

      it("writes some of the gaps before rows of layer 4, and less from noise or own tokens alone", async () => {
        const layer = 4;
        const found = { rows: 0, noise: 0, own: 0, of: 0 };
        const [attack, ownAlone] = await Promise.all(
          [{}, { weights: [0] }].map((options) =>
            rowDecode.prepare({ ...scene.preparation, layer }, rowDecode.parseOptions(options)),
          ),
        );
        for (const party of ["comp.1", "comp.2", "comp.3"]) {
          const view = withoutIds([party]);
          const hidden = [...scene.attacked.ids.keys()].filter((position) => !view.rows("row", layer).has(position));
          const hits = ({ guesses }: Recovery): number =>
            hidden.filter((position) => guesses.get(position)?.[0] === scene.attacked.ids[position]).length;
          const recovery = await attack.recover(view, scene.known(), BUDGET);
          if (found.of === 0) assert.deepEqual(await attack.recover(view, scene.known(), BUDGET), recovery);
          assert.ok(recovery.figures.weight > 0, "calibration prompts speak for the row");
          assert.equal(recovery.certified.size, 0, "it proves nothing");
          found.rows += hits(recovery);
          found.noise += hits(await attack.recover(noiseView(view, 2), scene.known(), BUDGET));
          found.own += hits(await ownAlone.recover(view, scene.known(), BUDGET));
          found.of += hidden.length;
        }
        await Promise.all([attack.close(), ownAlone.close()]);
        assert.ok(found.rows > found.noise + 2 && found.rows > found.own + 2, JSON.stringify(found));
      });
    },
  );
});

/** Writes a network whose first place scores token i by feature i of the evidence, the second by its negative; tokens beyond at 0. */
async function writeNetwork(
  folder: string,
  model: string,
  layer: number,
  [width, places, vocabulary]: [number, number, number],
): Promise<void> {
  const graph = new GraphBuilder();
  const evidence = graph.input("evidence", "float32", ["n", 2 * width]);
  const padded = graph.node("Pad", [evidence, graph.integers([0, 0, 0, vocabulary - 2 * width])]);
  const both = graph.node("Concat", [padded, graph.node("Neg", [padded])], { axis: 1 });
  const placed = graph.node("Reshape", [both, graph.integers([-1, places, vocabulary])]);
  graph.output("scores", placed, "float32", ["n", places, vocabulary]);
  await writeFile(path.join(folder, `${model}-${layer}.onnx`), graph.build("scores"));
  const about = { model, layer, width, places, vocabulary, trained: "not at all" };
  await writeFile(path.join(folder, `${model}-${layer}.json`), JSON.stringify(about));
}
