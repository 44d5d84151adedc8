/** SMPC parties and a dealer in processes of their own: the plain tokens, and an end by name when one is killed. */
import { allByParties } from "../../../protocols/smpc/lowering/evaluators.ts";
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import { openModel } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import { GREEDY } from "../../../layers/sampling.ts";
import { Client, type ClientSession } from "../../../protocols/fusion/client/client.ts";
import { generate } from "../../../protocols/fusion/client/generation.ts";
import { startLocalProcesses, type LocalProcesses } from "../../../protocols/fusion/deployment/local-processes.ts";
import { sessionCosts } from "../../../protocols/fusion/record/session-costs.ts";
import { placementOf } from "../../../protocols/fusion/session/smpc-choice.ts";
import { MODELS_FOLDER, openGolden } from "../../layers/golden-models.ts";
import { describeSession } from "../cascade/whole-model.ts";
import { rangesOfAll } from "./smpc-session-run.ts";

const NAME = "gpt2";
const R = { rule: "clusters", parts: 2, c: 2 } as const;
const SHAPE = { alpha: 2, beta: 1, parties: 2, dealer: true };

describe("processes with layers under SMPC", () => {
  it("give the tokens that transformers gives, at the declared cost", async () => {
    const { golden, session, opened, model, close } = await open();
    const tokens: number[] = [];
    for await (const token of generate(session, opened.engine, golden.ids, GREEDY, new Set())) tokens.push(token);
    const reports = await session.close();
    assert.deepEqual(tokens, golden.greedy.slice(0, STEPS));
    const costs = await sessionCosts(opened.deployment, session, reports, model, STEPS);
    assert.equal(costs.payloadBytes, costs.expectedPayloadBytes);
    assert.equal(costs.rounds, costs.expectedRounds);
    assert.equal(new Set(reports.map(({ pid }) => pid)).size, 6, "a process each");
    assert.ok(reports.find(({ party }) => party === "dealer")!.dealerSeconds > 0);
    await close();
  });

  for (const victim of ["smpc.0", "smpc.1", "dealer"])
    it(`${victim} killed in the middle of a generation: it is named, and no process stays`, async () => {
      const { golden, session, opened, close } = await open();
      const { pids } = opened.deployment;
      let killedAt = 0;
      const generation = async (): Promise<void> => {
        let tokens = 0;
        for await (const _ of generate(session, opened.engine, golden.ids, GREEDY, new Set())) {
          if (++tokens !== 2) continue;
          killedAt = performance.now();
          process.kill(pids.get(victim)!, "SIGKILL");
        }
      };
      await assert.rejects(generation(), (error: Error) => error.message.includes(victim));
      const endedMs = performance.now() - killedAt;
      await close();
      // A bound against hanging, not a measurement: deadlines are 30 s and more.
      assert.ok(endedMs < 5000, `expected the end within 5 s, got ${endedMs} ms`);
      for (const [party, pid] of pids) assert.throws(() => process.kill(pid, 0), /ESRCH/, party);
    });
});

const STEPS = 6;

async function open() {
  const { model: shown, golden } = await openGolden(NAME);
  await shown.close();
  const folder = path.join(MODELS_FOLDER, NAME);
  const model = await openModel(folder);
  const engine = await onnxEngine(model, { threads: 1, stages: ["embed", "head"] });
  const plain = describeSession(model, { r: R, s: { ...R, parts: 1 } }, golden.ids.length, { maxNewTokens: STEPS });
  const choice = {
    layers: [0],
    ...allByParties(1),
    parties: 2,
    dealer: "dealer",
    head: false,
    precision: "default",
    trade: "standard",
  } as const;
  const smpc = await placementOf(plain, model, { ...choice, layers: [0] }, await rangesOfAll(model));
  const deployment: LocalProcesses = await startLocalProcesses({
    ...SHAPE,
    model: folder,
    fingerprint: model.fingerprint,
    viewsFolder: null,
    head: false,
  });
  const client = new Client(deployment.client, model, deployment.nodes, { embedding: engine });
  const session: ClientSession = await client.open({ ...plain, smpc });
  const close = async (): Promise<void> => {
    await deployment.close();
    await engine.close();
    await model.close();
  };
  return { golden, model, session, opened: { deployment, engine }, close };
}
