import assert from "node:assert/strict";
import { before, test } from "node:test";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { Recovery } from "../../../experiments/lab/attack.ts";
import { CandidateKeys, type RowWord } from "../../../experiments/attacks/sums/candidate-keys.ts";
import { noiseView } from "../../../experiments/lab/noise-view.ts";
import { additiveDecode, decodeView, logPriorOf } from "../../../experiments/attacks/additive-decode/attack.ts";
import { seededChance } from "../../../experiments/lab/statistics/bootstrap.ts";
import { RecordingParties, type RecordedSession } from "../../../experiments/lab/views/recording-parties.ts";

/** A model with grouped queries that takes milliseconds. */
const MODEL = new URL("../../fixtures/models/llama-gqa", import.meta.url).pathname;
const [LENGTH, OWN] = [24, 1];

/** One prompt of random tokens as a setting's parties saw it, and what decodes it. */
class Scene {
  readonly ids: readonly number[];
  readonly #session: RecordedSession;
  readonly #keys: CandidateKeys;
  readonly #word: RowWord;

  private constructor(ids: readonly number[], session: RecordedSession, keys: CandidateKeys, word: RowWord) {
    this.ids = ids;
    this.#session = session;
    this.#keys = keys;
    this.#word = word;
  }

  static async record(setting: Record<string, unknown>, word: RowWord): Promise<Scene> {
    const given = { model: MODEL, smpcLayers: "none", wire: word, ...setting };
    const parties = await RecordingParties.open(given, () => {});
    try {
      const engine = await onnxEngine(parties.opened.model, { threads: 1 });
      const chance = seededChance("additive decode");
      const ids = Array.from({ length: LENGTH }, () => Math.floor(chance() * engine.spec.vocabulary));
      const scene = new Scene(ids, await parties.record(ids), await CandidateKeys.open(engine, word), word);
      await engine.close();
      return scene;
    } finally {
      await parties.close();
    }
  }

  async decode(how: { noise?: number; seed?: number } = {}): Promise<Recovery> {
    const seen = this.#session.view([`comp.${OWN}`]);
    const view = how.noise === undefined ? seen : noiseView(seen, how.noise);
    // On noise every window uses up its rounds: fewer of them show the same.
    const options = additiveDecode.parseOptions(
      how.noise === undefined ? {} : { restarts: 0, iterations: 4, patience: 0 },
    );
    const prior = logPriorOf(new Float64Array(this.#keys.vocabulary), true);
    return decodeView(this.#keys, this.#word, view, this.#session, prior, options, how.seed ?? 1);
  }

  /** Positions of others that some row of the party sees. */
  get reachable(): number[] {
    const { r } = this.#session.schedule;
    const own = [...this.ids.keys()].filter((t) => r.owner(t) === OWN);
    return [...this.ids.keys()].filter((t) => r.owner(t) !== OWN && t < Math.max(...own));
  }

  right(recovery: Recovery, positions: readonly number[]): number {
    return positions.filter((t) => recovery.guesses.get(t)?.[0] === this.ids[t]).length;
  }
}

let plain: Scene;
let half: Scene;
let masked: Scene;

before(async () => {
  plain = await Scene.record({ alpha: 3, c: 2 }, "float32");
  half = await Scene.record({ alpha: 3, c: 2 }, "float16");
  masked = await Scene.record({ alpha: 2, c: 1, merge: "masked" }, "float32");
});

test("reads every token of others that a row sees off partial results, each certified", async () => {
  const recovery = await plain.decode();
  assert.deepEqual(
    [...recovery.guesses.keys()].sort((a, b) => a - b),
    plain.reachable,
  );
  assert.equal(plain.right(recovery, plain.reachable), plain.reachable.length);
  assert.deepEqual(
    [...recovery.certified].sort((a, b) => a - b),
    plain.reachable,
  );
});

test("float16 on the wire does not hide them, and no certificate is wrong", async () => {
  const recovery = await half.decode();
  assert.ok(half.right(recovery, half.reachable) >= 0.9 * half.reachable.length);
  assert.equal(half.right(recovery, [...recovery.certified]), recovery.certified.size);
});

test("a masked merge of two shards gives the other's tokens away as well", async () => {
  const recovery = await masked.decode();
  assert.equal(masked.right(recovery, masked.reachable), masked.reachable.length);
  assert.equal(masked.right(recovery, [...recovery.certified]), recovery.certified.size);
});

test("noise certifies nothing and gives no tokens", async () => {
  for (const scene of [plain, half, masked]) {
    const recovery = await scene.decode({ noise: 3 });
    assert.equal(recovery.certified.size, 0);
    assert.ok(scene.right(recovery, scene.reachable) <= 2, "at most what chance gives of 256 tokens");
  }
});

test("same seed, same result", async () => {
  const [first, second] = [await plain.decode({ noise: 5, seed: 9 }), await plain.decode({ noise: 5, seed: 9 })];
  assert.deepEqual([...first.guesses], [...second.guesses]);
});

test("refuses options that aren't its own", () => {
  assert.throws(() => additiveDecode.parseOptions({ sums: "none" }), /additive-decode: sums: expected/);
});
