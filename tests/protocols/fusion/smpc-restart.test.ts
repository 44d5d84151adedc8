/** What SMPC parties keep of their correlations in a folder: a session's batches are used once, whatever is started again. */
import { allByParties } from "../../../protocols/smpc/lowering/evaluators.ts";
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import { referenceEngine } from "../../../layers/reference/engine.ts";
import { Client, type ClientSession } from "../../../protocols/fusion/client/client.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { placementOf } from "../../../protocols/fusion/session/smpc-choice.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { randomIds, randomModel } from "../cascade/random-model.ts";
import { rangesOfAll } from "./smpc-session-run.ts";

const MODEL = randomModel({
  seed: 31,
  layers: 2,
  kvHeads: 1,
  group: 1,
  headDim: 4,
});
const IDS = randomIds(6, 5);
const STEPS = 3;
const R = { rule: "clusters", parts: 1, c: 1 } as const;

describe("correlations in a folder", async () => {
  const scratch = await scratchFolder();
  const engine = await referenceEngine(MODEL);
  const ranges = await rangesOfAll(MODEL);
  const plain = describeSession(MODEL, { r: R, s: R }, IDS.length, { wire: engine.word, maxNewTokens: STEPS });
  const choice = {
    layers: [0],
    ...allByParties(1),
    parties: 2,
    dealer: "client",
    head: false,
    precision: "default",
    trade: "standard",
  } as const;
  const smpc = await placementOf(plain, MODEL, { ...choice, layers: [0] }, ranges);

  /** Parties that start, one session of this number, parties that end. */
  const during = async (
    number: number,
    correlationsFolder: string | null,
    use: (session: ClientSession) => Promise<void>,
  ): Promise<void> => {
    const deployment = await inProcessDeployment(
      MODEL,
      engine,
      { alpha: 1, beta: 1, parties: 2 },
      { correlationsFolder },
    );
    try {
      const client = new Client(deployment.client, MODEL, deployment.nodes, { embedding: engine });
      await use(await client.open({ ...plain, smpc }, number));
    } finally {
      await deployment.close();
    }
  };
  const all = async (session: ClientSession): Promise<void> => {
    for (let step = 0; step < STEPS; step++) await session.step(step, step === 0 ? IDS : [IDS[step]]);
    await session.close();
  };
  const AGAIN = /^Error: smpc\.[01]: batch \d+\/0\/0: expected it to be dealt once, got it a second time$/;

  it("refuses a session's batches after all parties were started again, and takes those of the next", async () => {
    const folder = path.join(scratch.path, "whole");
    await during(77, folder, all);
    await assert.rejects(during(77, folder, all), AGAIN);
    await during(78, folder, all);
    for (const party of ["smpc.0", "smpc.1"]) {
      const files = await readdir(path.join(folder, party));
      assert.equal(files.length, 2 * STEPS);
      for (const file of files) {
        assert.match(file, /\.used$/);
        // The label alone: no word of a used batch is left.
        const label = (await readFile(path.join(folder, party, file), "utf8")).trimEnd();
        assert.match(label, new RegExp(`^{"batch":"7[78]/0/[012]","plan":"[0-9a-f]{64}","party":${party.slice(5)},`));
      }
    }
    assert.deepEqual((await readdir(folder)).sort(), ["smpc.0", "smpc.1"], "nobody else is dealt anything");
  });

  it("refuses them too where the parties ended in the middle of the session", async () => {
    const folder = path.join(scratch.path, "cut");
    await during(5, folder, async (session) => {
      await session.step(0, IDS);
    });
    await assert.rejects(during(5, folder, all), AGAIN);
  });

  it("without a folder a restart forgets: nothing but the session's fresh number stands in the way", async () => {
    await during(9, null, all);
    await during(9, null, all);
  });
});
