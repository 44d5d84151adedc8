/** Masks of a masked merge: fresh ones hide every shard's row; one that is used twice is found, and what it opens is read. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { CalibrationPrompt, PublicKnowledge, Recovery } from "../../../experiments/lab/attack.ts";
import {
  insecureReusedMergeMask,
  type PlantedMask,
} from "../../../experiments/attacks/reused-merge-masks/reused-merge-mask.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { WeighedShards } from "../../../experiments/attacks/reused-merge-masks/weighed-shards.ts";
import { reusedMergeMasks } from "../../../experiments/attacks/reused-merge-masks/attack.ts";
import { parsePartyName } from "../../../protocols/cascade/party-name.ts";
import type { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

const IDS = Array.from({ length: 20 }, (_, t) => (t * 397 + 31) % 2048);
const OTHERS = Array.from({ length: 20 }, (_, t) => (t * 211 + 5) % 2048);
const STEPS = 17;
/** The last position of the node: what comes after it no row of it sees. */
const LAST_OWN = 16;
const NODE = ["comp.0"];
const BUDGET = { forwardPasses: 1, seed: 0 };

/** What masks are called: fresh ones of every session, step and pair. */
type MaskOf = (session: string, j: number, k: number, other: number, step: number) => PlantedMask;
const fresh: MaskOf = (session, j, k, other, step) => ({ seed: `${session} ${j} ${k} ${other}`, stream: step });

describe("reused-merge-masks", () => {
  let parties: RecordingParties;
  let session: RecordedSession;
  let other: RecordedSession;
  let known: PublicKnowledge;
  before(async () => {
    parties = await RecordingParties.open(
      { alpha: 4, c: 1, merge: "masked", smpcLayers: "none", maxTokens: 1 },
      () => {},
    );
    session = await parties.record(IDS, STEPS);
    other = await parties.record(OTHERS, STEPS);
    const { model, head } = parties.opened;
    known = { model, engine: head!, description: session.description, schedule: session.schedule };
  });
  after(() => parties.close());

  const attacked = async (view: RecordedView, calibration: CalibrationPrompt[] = []): Promise<Recovery> => {
    const attack = await reusedMergeMasks.prepare({ layer: 0, calibration, engine: known.engine } as never, {});
    const recovery = await attack.recover(view, known, BUDGET);
    for (const position of recovery.certified)
      assert.equal(recovery.guesses.get(position)?.[0], IDS[position], `position ${position} is certified`);
    return recovery;
  };
  const planted = async (maskOf: MaskOf, [of, ids]: readonly [RecordedSession, readonly number[]] = [session, IDS]) =>
    insecureReusedMergeMask(
      of.view(NODE),
      of.schedule,
      0,
      await WeighedShards.of(known, ids, 0),
      maskOf.bind(null, of === session ? "one" : "other"),
    );
  const hidden = IDS.flatMap((_, position) => (position % 4 === 0 ? [] : [position]));
  const right = ({ guesses }: Recovery): number => hidden.filter((t) => guesses.get(t)?.[0] === IDS[t]).length;

  it("plants words that add up to what the node was sent", async () => {
    const [view, shards] = [session.view(NODE), await WeighedShards.of(known, IDS, 0)];
    for (const step of [1, 5, 13]) {
      const sums = [new Int32Array(192), new Int32Array(192)];
      for (const { kind, source, peer, layer, step: at, data } of view.tensors) {
        if (kind !== "masked" || source !== "received" || layer !== 0 || at !== step) continue;
        const { j, k } = parsePartyName(peer!, "attn");
        const { words } = (await shards.of(step, j, k))!;
        sums[0].forEach((_, i) => {
          sums[0][i] += data[i] as number;
          sums[1][i] += words[i];
        });
      }
      const off = Math.max(...sums[0].map((word, i) => Math.abs(word - sums[1][i])));
      assert.ok(off < 2 ** 12, `${off} units of 2^30`);
    }
  });

  it("finds nothing in real views, with a known session beside, nor in noise", async () => {
    for (const view of [session.view(NODE), noiseView(session.view(NODE), 1)]) {
      const recovery = await attacked(view, [{ ids: OTHERS, view: other.view(NODE) }]);
      assert.ok(recovery.figures.maskedRows > 0);
      assert.equal(recovery.figures.reusedMasks, 0);
      assert.equal(recovery.guesses.size, 0);
    }
  });

  it("finds nothing in planted views whose masks are fresh", async () => {
    const recovery = await attacked(await planted(fresh), [
      { ids: OTHERS, view: await planted(fresh, [other, OTHERS]) },
    ]);
    assert.equal(recovery.figures.reusedMasks, 0);
    assert.equal(recovery.guesses.size, 0);
  });

  it("opens every row and reads every token below the last own one, where two sessions have seeds in common", async () => {
    const reused: MaskOf = (_, ...pair) => fresh("both", ...pair);
    const calibration = [{ ids: OTHERS, view: await planted(reused, [other, OTHERS]) }];
    const recovery = await attacked(await planted(reused), calibration);
    assert.equal(recovery.figures.openedRows, recovery.figures.maskedRows);
    assert.equal(right(recovery), hidden.filter((t) => t < LAST_OWN).length);
    assert.equal(recovery.certified.size, right(recovery), "each certified");
  });

  it("reads the tokens, those of two keys at first without their order, where the steps of a session have a stream in common", async () => {
    const reused: MaskOf = (name, j, k, to, step) => ({ ...fresh(name, j, k, to, step), stream: step === 0 ? 0 : 1 });
    const recovery = await attacked(await planted(reused));
    const own = IDS.flatMap((_, t) => (t > 0 && t % 4 === 0 ? [t] : []));
    assert.equal(
      recovery.figures.reusedMasks,
      (4 * own.length * (own.length - 1)) / 2,
      "every two steps, of each shard",
    );
    assert.equal(recovery.figures.openedRows, 0, "no row is known");
    const read = hidden.filter((t) => t < LAST_OWN);
    assert.deepEqual(
      [...recovery.guesses.keys()].sort((a, b) => a - b),
      read,
    );
    assert.ok(read.every((t) => recovery.guesses.get(t)!.includes(IDS[t])));
    assert.deepEqual(
      [...recovery.certified].sort((a, b) => a - b),
      read.filter((t) => t > own[1]),
    );
  });

  it("finds nothing where one pair of AttnNodes has its seed in common, and the others have fresh ones", async () => {
    const oneOf: MaskOf = (name, j, k, to, step) => fresh(k === 0 && to === 1 ? "both" : name, j, k, to, step);
    const calibration = [{ ids: OTHERS, view: await planted(oneOf, [other, OTHERS]) }];
    const asked = session.schedule.askedOf(1, 0, 0);
    assert.ok(asked.length === 4);
    const recovery = await attacked(await planted(oneOf), calibration);
    assert.equal(recovery.guesses.size, 0);
    assert.equal(recovery.figures.reusedMasks, 0);
  });

  it("reads the same rows where a merge is plain", async () => {
    const plain = await RecordingParties.open({ alpha: 4, c: 1, smpcLayers: "none", maxTokens: 1 }, () => {});
    try {
      const recorded = await plain.record(IDS, STEPS);
      const attack = await reusedMergeMasks.prepare({ layer: 0, calibration: [], engine: known.engine } as never, {});
      const { description, schedule } = recorded;
      const recovery = await attack.recover(recorded.view(NODE), { ...known, description, schedule }, BUDGET);
      assert.equal(right(recovery), hidden.filter((t) => t < LAST_OWN).length);
    } finally {
      await plain.close();
    }
  });
});
