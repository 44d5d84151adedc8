import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { partialSoftmax, seenValueRows } from "../../../experiments/attacks/partial-softmax/attack.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

const MODEL = new URL("../../fixtures/models/llama-gqa", import.meta.url).pathname;
const [ALPHA, OWN, LENGTH] = [3, 1, 18];

const ascending = (a: number, b: number): number => a - b;

const parties: Record<"plain" | "masked", RecordingParties> = {} as never;
const sessions: Record<"plain" | "masked", RecordedSession> = {} as never;
let engine: StageEngine;
let ids: number[];

before(async () => {
  for (const merge of ["plain", "masked"] as const) {
    parties[merge] = await RecordingParties.open(
      { model: MODEL, smpcLayers: "none", alpha: ALPHA, c: 1, merge },
      () => {},
    );
    engine ??= await onnxEngine(parties[merge].opened.model, { threads: 1 });
    const chance = seededChance("partial softmax");
    ids = Array.from({ length: LENGTH }, () => Math.floor(chance() * engine.spec.vocabulary));
    sessions[merge] = await parties[merge].record(ids);
  }
});
after(async () => {
  await engine.close();
  for (const each of Object.values(parties)) await each.close();
});

/** Largest error of value rows of others, relative to their size, by the keys of their sums. */
function errors(merge: "plain" | "masked", layer: number): { keys: number; position: number; error: number }[] {
  const session = sessions[merge];
  const { model } = parties[merge].opened;
  const truth = session.view(["comp.0", "comp.1", "comp.2"]).rows("v", layer);
  return seenValueRows(session.view([`comp.${OWN}`]), { model, ...session }, layer)
    .filter(({ position }) => position % ALPHA !== OWN)
    .map(({ position, values, keys }) => {
      const right = truth.get(position)!;
      const off = Math.hypot(...values.map((x, i) => x - right[i]));
      return { keys, position, error: off / Math.hypot(...right) };
    });
}

test("value rows of a shard's first key come out at float rounding, at every layer", () => {
  for (const layer of [0, 1, 2]) {
    const single = errors("plain", layer).filter(({ keys }) => keys === 1);
    assert.deepEqual(single.map(({ position }) => position).sort(ascending), [0, 2]);
    for (const { error } of single) assert.ok(error < 1e-6, `layer ${layer}: ${error}`);
  }
});

test("those of its second key follow from the mass", () => {
  for (const layer of [0, 1, 2]) {
    const second = errors("plain", layer).filter(({ keys }) => keys === 2);
    assert.deepEqual(second.map(({ position }) => position).sort(ascending), [3, 5]);
    for (const { error } of second) assert.ok(error < 1e-4, `layer ${layer}: ${error}`);
  }
});

test("a masked merge leaves none of them", () => {
  for (const layer of [0, 1, 2]) assert.deepEqual(errors("masked", layer), []);
});

test("at layer 0 the rows are tokens, certified; noise certifies nothing", async () => {
  const { model } = parties.plain.opened;
  const session = sessions.plain;
  const prepared = await partialSoftmax.prepare(
    {
      model,
      engine,
      encode: () => [],
      training: { name: "none", documents: [] },
      layer: 0,
      calibration: [],
      seed: 1,
      report: () => undefined,
    },
    partialSoftmax.parseOptions({}),
  );
  const known = { model, engine, description: session.description, schedule: session.schedule };
  const view = session.view([`comp.${OWN}`]);
  const budget = { forwardPasses: 0, seed: 1 };
  const recovery = await prepared.recover(view, known, budget);
  assert.deepEqual([...recovery.certified].sort(ascending), [0, 2, 3, 5]);
  for (const [position, guesses] of recovery.guesses) assert.equal(guesses[0], ids[position]);
  assert.equal((await prepared.recover(noiseView(view, 1), known, budget)).certified.size, 0);
  await prepared.close();
});
