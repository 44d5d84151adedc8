/** Views of SMPC parties: one gives nothing, all together everything, and masks that are too short are found. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { PublicKnowledge } from "../../../experiments/lab/attack.ts";
import { insecureShortMask } from "../../../experiments/attacks/share-words/short-mask.ts";
import { shareWords } from "../../../experiments/attacks/share-words/attack.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";
import type { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";

const IDS = Array.from({ length: 12 }, (_, t) => (t * 397 + 31) % 2048);
const BUDGET = { forwardPasses: 1, seed: 0 };

describe("share-words", () => {
  let parties: RecordingParties;
  let session: RecordedSession;
  let known: PublicKnowledge;
  before(async () => {
    parties = await RecordingParties.open({ alpha: 2, smpcLayers: "first:1", maxTokens: 1 }, () => {});
    session = await parties.record(IDS);
    const { model, head } = parties.opened;
    known = { model, engine: head!, description: session.description, schedule: session.schedule };
  });
  after(() => parties.close());

  const right = async (view: RecordedView): Promise<number> => {
    const attack = await shareWords.prepare(undefined as never, {});
    const { guesses } = await attack.recover(view, known, BUDGET);
    return IDS.filter((id, t) => guesses.get(t)?.[0] === id).length;
  };

  it("recovers nothing from either party, though each has the opened words", async () => {
    for (const party of ["smpc.0", "smpc.1"]) {
      const view = session.view([party]);
      assert.ok(view.tensors.some(({ kind }) => kind === "masked"));
      assert.ok((await right(view)) <= 1, party);
    }
  });

  it("recovers every token where all parties put their shares together", async () => {
    assert.equal(await right(session.view(["smpc.0", "smpc.1"])), IDS.length);
  });

  it("finds masks that are too short", async () => {
    const { data } = await known.engine.embed(IDS, [...IDS.keys()]);
    const format = session.description.smpc!.formats[0];
    const planted = (bits: number): RecordedView => insecureShortMask(session.view(["smpc.1"]), data, format, bits, 1);
    assert.equal(await right(planted(2)), IDS.length);
    assert.ok((await right(planted(format.inputBits))) <= 1, "a whole mask is no short one");
  });
});
