import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { openModel } from "../../layers/model.ts";
import { onnxEngine } from "../../layers/onnx/engine.ts";
import { monolithicModel } from "../../layers/onnx/monolithic-model.ts";
import { plainForward } from "../../layers/reference/plain-forward.ts";
import type { Tensor } from "../../layers/tensor.ts";
import { float32Of, integersOf, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { argmax, maxError } from "./golden-models.ts";
import { scratchFolder } from "./scratch-folder.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "./smollm2-folder.ts";
import { stagedPass } from "./staged-pass.ts";

const PROMPTS = [0, 1, 2];
/** Blocks after which the golden file has hidden states; the last has had the final norm. */
const HIDDEN = [0, 1, 2, 3, 15, 30];
/** Logits reach 30; residuals reach 24 000, so 5e-3 is 2e-7 of what they are made from. */
const LOGIT_TOLERANCE = 5e-3;
/** Of the largest value of a hidden state: the golden values are rounded to float32 themselves. */
const HIDDEN_RELATIVE_TOLERANCE = 5e-6;

type Goldens = Awaited<ReturnType<typeof readSafetensorsFile>>;

/** Hidden states close, the same best token in every row, the last row's logits within tolerance. Gives the largest errors. */
function check(goldens: Goldens, prompt: number, pass: { hidden: readonly Tensor[]; logits: Tensor | null }): string {
  const hidden = HIDDEN.map((i) => {
    const expected = float32Of(goldens, `${prompt}.hidden.${i}`);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const error = maxError(pass.hidden[i].data, expected);
    assert.ok(error <= HIDDEN_RELATIVE_TOLERANCE * Math.max(1, largest), `hidden.${i}: ${error} of ${largest}`);
    return `${i}: ${error.toExponential(1)} of ${largest.toFixed(1)}`;
  });
  const { data, shape } = pass.logits!;
  const top = integersOf(goldens, `${prompt}.top_ids`);
  for (let row = 0; row < shape[0]; row++) {
    const best = argmax(data.subarray(row * shape[1], (row + 1) * shape[1]));
    assert.equal(best, top[(row * top.length) / shape[0]], `prompt ${prompt}: best token of row ${row}`);
  }
  const error = maxError(data.subarray(-shape[1]), float32Of(goldens, `${prompt}.logits_last`));
  assert.ok(error <= LOGIT_TOLERANCE, `prompt ${prompt}: logits of the last row: ${error}`);
  return `prompt ${prompt}: logits ${error.toExponential(1)}; hidden ${hidden.join(", ")}`;
}

test(
  "SmolLM2-135M from GGUF computes what transformers does",
  { skip: SMOLLM2_MISSING, timeout: 300_000 },
  async (t) => {
    const scratch = await scratchFolder();
    process.env.WEIR_CACHE = path.join(scratch.path, "cache");
    const goldens = await readSafetensorsFile(path.join(SMOLLM2_FOLDER, "golden.safetensors"));
    const model = await openModel(path.join(SMOLLM2_FOLDER, "model.gguf"));
    const idsOf = (prompt: number): number[] => integersOf(goldens, `${prompt}.input_ids`);

    await t.test("as stages", async (t) => {
      const engine = await onnxEngine(model, { threads: 1 });
      for (const prompt of PROMPTS) t.diagnostic(check(goldens, prompt, await stagedPass(engine, idsOf(prompt))));
      await engine.close();
    });

    await t.test("as one graph, with all greedy tokens", async (t) => {
      const whole = await monolithicModel(model, { threads: 1 });
      for (const prompt of PROMPTS) {
        const sequence = whole.begin();
        const first = await sequence.extend(idsOf(prompt), { allLogits: true, hidden: true });
        t.diagnostic(check(goldens, prompt, first));
        let logits = first.logits!.data.subarray(-model.spec.vocabulary);
        for (const [i, token] of integersOf(goldens, `${prompt}.greedy`).entries()) {
          assert.equal(argmax(logits), token, `prompt ${prompt}: greedy token ${i}`);
          logits = (await sequence.extend([token])).logits!.data;
        }
      }
      await whole.close();
    });

    await t.test("in float64", async (t) => {
      t.diagnostic(check(goldens, 0, await plainForward(model, idsOf(0))));
    });
    await model.close();
  },
);
