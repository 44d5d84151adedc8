/** Views of servers of delegated layers: one gives nothing, all together everything, masks that are used twice are found, sizes are of lengths alone. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CalibrationPrompt, PublicKnowledge, Recovery } from "../../../experiments/lab/attack.ts";
import { insecureReusedMask } from "../../../experiments/attacks/taken-words/reused-mask.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { heldRows } from "../../../experiments/attacks/taken-words/held-rows.ts";
import { TakenDictionary } from "../../../experiments/attacks/taken-words/taken-dictionary.ts";
import { takenWords } from "../../../experiments/attacks/taken-words/attack.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";
import type { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";
import { programSetting, SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";

const STEPS = 3;
const IDS = Array.from({ length: 12 }, (_, t) => (t * 397 + 31) % 2048);
const OTHERS = Array.from({ length: 12 }, (_, t) => (t * 211 + 5) % 2048);
const ALL = ["smpc.0", "smpc.1"];
const BUDGET = { forwardPasses: 1, seed: 0 };

describe("taken-words", () => {
  let parties: RecordingParties;
  let session: RecordedSession;
  let other: RecordedSession;
  let known: PublicKnowledge;
  let program: SmpcProgram;
  before(async () => {
    parties = await RecordingParties.open({ alpha: 2, placement: "all=delegated", maxTokens: 1 }, () => {});
    session = await parties.record(IDS, STEPS);
    other = await parties.record(OTHERS, STEPS);
    const { model, head } = parties.opened;
    const { description, schedule } = session;
    known = { model, engine: head!, description, schedule };
    program = await SmpcProgram.open(model, schedule, programSetting({ ...description, smpc: description.smpc! }));
  });
  after(() => parties.close());

  const attacked = async (
    view: RecordedView,
    { layer = 0, calibration = [] }: { layer?: number; calibration?: CalibrationPrompt[] } = {},
    knowledge = known,
  ): Promise<Recovery> => {
    const attack = await takenWords.prepare({ layer, calibration } as never, {});
    const recovery = await attack.recover(view, knowledge, BUDGET);
    for (const position of recovery.certified)
      assert.equal(recovery.guesses.get(position)?.[0], IDS[position], `position ${position} is certified`);
    return recovery;
  };

  const right = ({ guesses }: Recovery, ids = IDS): number => ids.filter((id, t) => guesses.get(t)?.[0] === id).length;

  /** A view of the first server under masks that `streamOf` names. */
  const planted = async (
    streamOf: (step: number, row: number) => string,
    [of, ids]: readonly [RecordedSession, readonly number[]] = [session, IDS],
  ): Promise<RecordedView> => {
    const rows: Float64Array[] = [];
    for (let step = 0; step < STEPS; step++) {
      const at = of.schedule.positions(step);
      const { data } = await known.engine.embed(
        at.map((t) => ids[t]),
        at,
      );
      rows.push(Float64Array.from(data));
    }
    return insecureReusedMask(of.view(["smpc.0"]), program, rows, streamOf);
  };

  it("recovers nothing from either server, at the first layer and at a later one, with a known session beside it", async () => {
    for (const party of ALL)
      for (const layer of [0, 4]) {
        const calibration = [{ ids: OTHERS, view: other.view([party]) }];
        const recovery = await attacked(session.view([party]), { layer, calibration });
        assert.equal(recovery.guesses.size, IDS.length, "it guesses all the same");
        assert.ok(right(recovery) <= 1, `${party}, layer ${layer}`);
        assert.equal(recovery.certified.size, 0);
        assert.equal(recovery.figures.reusedMasks, 0);
        assert.equal(recovery.figures.bareRows, 0);
      }
  });

  it("recovers and certifies every token where all servers put theirs together, and most at later layers", async () => {
    const first = await attacked(session.view(ALL));
    assert.equal(right(first), IDS.length);
    assert.equal(first.certified.size, IDS.length);
    // Four delegated products a layer, of each row.
    assert.equal(first.figures.bareRows, IDS.length * known.model.spec.layers * 4);
    assert.ok(right(await attacked(session.view(ALL), { layer: 2 })) >= IDS.length / 2);
    assert.ok(right(await attacked(noiseView(session.view(ALL), 1))) <= 1, "noise of both is nothing");
  });

  it("reads every token off what all servers answer together, and none off what one does", async () => {
    const dictionary = await TakenDictionary.of(known, program, 0);
    const read = async (names: readonly string[]): Promise<number> => {
      const held = heldRows(session.view(names), session.schedule, program).filter(({ layer }) => layer === 0);
      assert.equal(held.length, STEPS);
      let found = 0;
      for (const { positions, words } of held) {
        const answers = await dictionary.answersOf(words, positions.length);
        const columns = answers.length / positions.length;
        for (const [row, position] of positions.entries()) {
          const { ids } = dictionary.byAnswer.rank(answers.subarray(row * columns, (row + 1) * columns), 1);
          if (ids[0] === IDS[position]) found++;
        }
      }
      return found;
    };
    assert.equal(await read(ALL), IDS.length);
    for (const party of ALL) assert.ok((await read([party])) <= 1, party);
  });

  it("needs all of three servers", async () => {
    const three = await RecordingParties.open(
      { alpha: 2, placement: "0=delegated", parties: 3, maxTokens: 1 },
      () => {},
    );
    try {
      const recorded = await three.record(IDS);
      const { description, schedule } = recorded;
      const knowledge = { model: three.opened.model, engine: three.opened.head!, description, schedule };
      for (const pair of [
        ["smpc.0", "smpc.1"],
        ["smpc.0", "smpc.2"],
        ["smpc.1", "smpc.2"],
      ])
        assert.ok(right(await attacked(recorded.view(pair), {}, knowledge)) <= 1, pair.join(" and "));
      const all = await attacked(recorded.view(["smpc.0", "smpc.1", "smpc.2"]), {}, knowledge);
      assert.equal(right(all), IDS.length);
    } finally {
      await three.close();
    }
  });

  it("finds a mask that rows of a step have in common", async () => {
    const recovery = await attacked(await planted((step) => `step ${step}`));
    const first = session.schedule.positions(0).length;
    assert.equal(recovery.figures.reusedMasks, (first * (first - 1)) / 2);
    assert.equal(right(recovery), first);
    assert.equal(recovery.certified.size, first);
  });

  it("finds a mask that two steps have in common", async () => {
    const recovery = await attacked(
      await planted((step, row) => (row === 0 && step !== 1 ? "once more" : `${step} ${row}`)),
    );
    assert.equal(recovery.figures.reusedMasks, 1);
    const [from, last] = [session.schedule.positions(0)[0], session.schedule.positions(STEPS - 1)[0]];
    assert.deepEqual(
      [...recovery.certified].sort((a, b) => a - b),
      [from, last],
    );
  });

  it("finds masks that two sessions have in common", async () => {
    const streamOf = (step: number, row: number): string => `${step} ${row}`;
    const calibration = [{ ids: OTHERS, view: await planted(streamOf, [other, OTHERS]) }];
    const recovery = await attacked(await planted(streamOf), { calibration });
    assert.equal(recovery.figures.reusedMasks, IDS.length);
    assert.equal(right(recovery), IDS.length);
    assert.equal(recovery.certified.size, IDS.length);
  });

  it("finds nothing in a planted view whose masks are used once", async () => {
    const calibration = [{ ids: OTHERS, view: await planted((step, row) => `other ${step} ${row}`, [other, OTHERS]) }];
    const recovery = await attacked(await planted((step, row) => `${step} ${row}`), { calibration });
    assert.equal(recovery.figures.reusedMasks, 0);
    assert.ok(right(recovery) <= 1);
  });

  it("sees the same messages, in number, order and size, for prompts of one length, and others for another", async () => {
    const shorter = await parties.record(IDS.slice(1), STEPS);
    for (const party of ALL) {
      const shapes = ({ tensors }: RecordedView): unknown[] =>
        tensors.map(({ source, peer, kind, layer, step, positions, shape, data }) => ({
          source,
          peer,
          kind,
          layer,
          step,
          positions,
          shape,
          bytes: data.byteLength,
        }));
      const [one, two, three] = [session, other, shorter].map((each) => shapes(each.view([party])));
      assert.ok(one.length > 0);
      assert.deepEqual(one, two, party);
      // Seeds are as long for any prompt.
      if (party === "smpc.0") assert.notDeepEqual(one, three);
      else assert.deepEqual(one, three);
    }
  });
});
