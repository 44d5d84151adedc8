import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import type { AttackBudget, CalibrationPrompt, PublicKnowledge, Recovery } from "../../../experiments/lab/attack.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { scaledL1 } from "../../../experiments/attacks/matching/row-measure.ts";
import { InfillNetwork } from "../../../experiments/attacks/infill/infill-network.ts";
import { logProbabilities } from "../../../experiments/attacks/matching/proposals.ts";
import { OwnTokens } from "../../../experiments/attacks/probes/own-tokens.ts";
import { rowDifferences } from "../../../experiments/attacks/infill/row-differences.ts";
import { visibleRows, type LayerRows } from "../../../experiments/attacks/probes/visible-rows.ts";
import { beamFill, beamInfill } from "../../../experiments/attacks/beam-infill/attack.ts";
import { fillTokens, infill, INFILL_NETWORK, observedRows } from "../../../experiments/attacks/infill/attack.ts";
import { promptIds } from "../../../experiments/attacks/run/texts.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

interface Evidence {
  readonly rows: LayerRows;
  readonly differences: LayerRows;
}

const TOKENS = 24;
const PROMPTS = 6;
const BUDGET: AttackBudget = { forwardPasses: 1e9, seed: 3 };
const NETWORK = infill.parseOptions({});

describe("infilling the tokens that a CompNode doesn't see", () => {
  let parties: RecordingParties;
  let prompts: { ids: readonly number[]; session: RecordedSession; known: PublicKnowledge }[];

  before(async () => {
    parties = await RecordingParties.open({ alpha: 2, c: 1, smpcLayers: "none" }, () => {});
    const tokenizer = await openTokenizer(DEFAULT_MODEL);
    const file = path.resolve("experiments/attacks/texts/heldout.txt");
    const { attacked } = await promptIds(
      { prompts: { file, count: PROMPTS, calibration: 0, tokens: TOKENS } },
      ".",
      (text) => tokenizer.encode(text, { addSpecial: false }),
    );
    prompts = [];
    for (const ids of attacked) {
      const session = await parties.record(ids);
      const { description, schedule } = session;
      const { model, head } = parties.opened;
      prompts.push({ ids, session, known: { model, engine: head!, description, schedule } });
    }
  });
  after(() => parties.close());

  const hits = (ids: readonly number[], { guesses }: Recovery, positions: Iterable<number>): number =>
    [...positions].filter((position) => guesses.get(position)?.[0] === ids[position]).length;
  const hiddenFrom = (ids: readonly number[], seen: ReadonlyMap<number, number>): number[] =>
    [...ids.keys()].filter((position) => !seen.has(position));

  it("takes the rows of known tokens alone as the session's rows where nothing is hidden, and as others where something is", async () => {
    const { ids, session, known } = prompts[0];
    const observed = session.view(["comp.0", "comp.1"]).rows("row", 2);
    const all = await visibleRows(known.engine, new Map(ids.entries()), [1, 2, 8]);
    const some = await visibleRows(known.engine, session.view(["comp.0"]).ids(), [2]);
    assert.deepEqual([...all.keys()], [1, 2, 8]);
    const off = (rows: ReadonlyMap<number, ArrayLike<number>>, position: number): number =>
      Math.max(...Array.from(rows.get(position)!, (x, i) => Math.abs(x - observed.get(position)![i])));
    for (const position of ids.keys()) assert.ok(off(all.get(2)!, position) < 1e-4);
    assert.ok(off(some.get(2)!, 0) < 1e-4, "nothing is before the first token");
    assert.ok(off(some.get(2)!, 2) > 1e-2, "token 1 is missing from row 2");
  });

  describe("by the language model and rows as evidence", () => {
    const options = beamInfill.parseOptions({ width: 3, ahead: 96, weights: [200] });

    it("fills more of the hidden tokens than without rows, from noise no more, and twice the same", async () => {
      const found = { rows: 0, prior: 0, noise: 0, of: 0 };
      const calibration: CalibrationPrompt[] = prompts
        .slice(4)
        .map(({ ids, session }) => ({ ids, view: session.view(["comp.1"]) }));
      const { model, head } = parties.opened;
      const prepared = await beamInfill.prepare(
        {
          model,
          engine: head!,
          encode: () => [],
          training: { name: "none", documents: [] },
          layer: 1,
          calibration,
          seed: 1,
          report: () => {},
        },
        options,
      );
      for (const { ids, session, known } of prompts.slice(0, 2)) {
        const view = session.view(["comp.1"]);
        const hidden = hiddenFrom(ids, view.ids());
        const recovery = await prepared.recover(view, known, BUDGET);
        assert.equal(hits(ids, recovery, view.ids().keys()), view.ids().size, "known tokens stay");
        if (found.of === 0) assert.deepEqual(await prepared.recover(view, known, BUDGET), recovery);
        found.rows += hits(ids, recovery, hidden);
        found.prior += hits(ids, await prepared.prior(view, known, BUDGET), hidden);
        found.noise += hits(ids, await prepared.recover(noiseView(view, 5), known, BUDGET), hidden);
        found.of += hidden.length;
      }
      assert.ok(found.rows >= 0.9 * found.of, JSON.stringify(found));
      assert.ok(found.rows - found.prior >= 0.2 * found.of, JSON.stringify(found));
      assert.ok(found.noise <= found.prior, JSON.stringify(found));
    });

    it("finds a planted token that the language would never put there", async () => {
      const { ids, known } = prompts[0];
      const planted = ids.with(5, 77).slice(0, 12);
      const { engine } = known;
      const rows = (await visibleRows(engine, new Map(planted.entries()), [1])).get(1)!;
      const told = new Map([...planted.entries()].filter(([position]) => position !== 5));
      const opening = new Float64Array(engine.spec.vocabulary);
      const task = { engine, length: 12, known: told, opening };
      const evidence = { layer: 1, rows, measure: scaledL1(null), weight: 1e6 };
      const wide = { width: 4, ahead: engine.spec.vocabulary, guesses: 5 };
      assert.equal((await beamFill({ ...task, evidence }, wide)).guesses.get(5)![0], 77);
      assert.notEqual((await beamFill({ ...task, evidence: null }, wide)).guesses.get(5)![0], 77);
    });
  });

  it("knows a view's tokens from its ids, and where it has none from its rows", async () => {
    const [{ session, known }] = prompts;
    const whole = session.view(["comp.0"]);
    const text = await readFile(path.resolve("models/calibration/passages.txt"), "utf8");
    const tokenizer = await openTokenizer(DEFAULT_MODEL);
    const own = new OwnTokens({
      model: known.model,
      engine: known.engine,
      encode: (document) => tokenizer.encode(document, { addSpecial: false }),
      training: { name: "calibration passages", documents: text.split("\n") },
      layer: 1,
      calibration: [],
      seed: 1,
      report: () => {},
    });
    assert.deepEqual(await own.of(whole), whole.ids());
    const read = await own.of(whole.filter(({ kind }) => kind !== "ids"));
    const right = [...whole.ids()].filter(([position, id]) => read.get(position) === id).length;
    assert.ok(right >= 0.9 * whole.ids().size, `${right} of ${whole.ids().size}`);
  });

  describe("by the trained network", () => {
    let network: InfillNetwork;
    before(async () => {
      network = await InfillNetwork.open(INFILL_NETWORK, "default");
    });
    after(() => network.close());

    /** Mean log probability of the hidden tokens, all guessed at once, from rows that `rowsOf` makes of the view. */
    async function surprise(
      rowsOf: (rows: LayerRows, known: ReadonlyMap<number, number>, engine: StageEngine) => Promise<Evidence>,
    ): Promise<number> {
      let [sum, count] = [0, 0];
      for (const { ids, session, known } of prompts)
        for (const party of ["comp.0", "comp.1"]) {
          const view = session.view([party]);
          const told = view.ids();
          const evidence = await rowsOf(observedRows(view, network.rowLayers), told, known.engine);
          const logits = await network.logits({ length: ids.length, known: told, ...evidence });
          for (const position of hiddenFrom(ids, told)) {
            const row = logits.subarray(position * network.vocabulary, (position + 1) * network.vocabulary);
            sum += logProbabilities(row)[ids[position]];
            count++;
          }
        }
      return -sum / count;
    }

    it("is less surprised by the hidden tokens where it has rows, and no less where they are another prompt's", async () => {
      const none = async (): Promise<Evidence> => ({ rows: new Map(), differences: new Map() });
      const prior = await surprise(none);
      const withRows = await surprise(async (rows, told, engine) => ({
        rows,
        differences: await rowDifferences(rows, told, engine, network.rowLayers),
      }));
      const foreign = prompts[prompts.length - 1].session.view(["comp.0", "comp.1"]);
      const withForeign = await surprise(async (rows, told, engine) => {
        const others = observedRows(foreign, network.rowLayers);
        const wrong = new Map(
          [...rows].map(([layer, own]) => [
            layer,
            new Map([...own.keys()].map((position) => [position, others.get(layer)!.get(position)!])),
          ]),
        );
        return { rows: wrong, differences: await rowDifferences(wrong, told, engine, network.rowLayers) };
      });
      assert.ok(withRows < prior, `${withRows} nats with rows, ${prior} without`);
      assert.ok(prior < Math.log(network.vocabulary), `${prior} nats without rows`);
      assert.ok(withForeign > withRows, `${withForeign} nats with another prompt's rows, ${withRows} with its own`);
    });

    it("guesses every position once, leaves known tokens alone, and twice the same", async () => {
      const { ids, session, known } = prompts[1];
      const view = session.view(["comp.0"]);
      const rows = observedRows(view, network.rowLayers);
      const task = { network, engine: known.engine, length: ids.length, known: view.ids(), rows };
      const recovery = await fillTokens(task, NETWORK);
      assert.equal(recovery.guesses.size, ids.length);
      for (const [position, id] of view.ids()) assert.deepEqual(recovery.guesses.get(position), [id]);
      assert.deepEqual(await fillTokens(task, NETWORK), recovery);
    });

    it("refuses another model, and a folder without a network", async () => {
      await assert.rejects(InfillNetwork.open(INFILL_NETWORK, "other"), /expected one for other, got one for default/);
      await assert.rejects(InfillNetwork.open(import.meta.dirname, "default"), /expected infill.onnx.*recipe\/README/);
    });
  });
});
