/** `weir verify` on a real model of 30 layers, with 8 CompNodes and 64 AttnNodes. */
import assert from "node:assert/strict";
import path from "node:path";
import { it } from "node:test";
import { verifyRecord } from "../../experiments/verify/verify-record.ts";
import { SMOLLM2_FOLDER, SMOLLM2_MISSING } from "../layers/smollm2-folder.ts";
import { weir, withoutProgress } from "./weir-command.ts";

/** As in tests/layers/onnx-smollm2.test.ts. */
const LOGIT_TOLERANCE = 5e-3;

it("weir verify accepts SmolLM2-135M, unsharded and with alpha = beta = 8", { skip: SMOLLM2_MISSING }, async (t) => {
  const files = ["model.gguf", "golden.safetensors"].map((name) => path.join(SMOLLM2_FOLDER, name));
  const shape = ["--json", "--alpha", "8", "--m", "1", "--c", "8", "--place", "memory"];
  const { code, stdout, stderr } = await weir("verify", "--model", files[0], "--golden", files[1], ...shape);
  assert.deepEqual(withoutProgress(stderr), [""]);
  const { ok, prompts, unsharded, sharded, shape: ran, bytes } = verifyRecord.parse(JSON.parse(stdout));
  for (const errors of [unsharded, sharded]) {
    assert.equal(errors.topTokensEqual, true);
    assert.equal(errors.greedyEqual, true);
    assert.ok(errors.maxLogitError !== null && errors.maxLogitError <= LOGIT_TOLERANCE, String(errors.maxLogitError));
  }
  assert.deepEqual([prompts, ran.alpha, ran.beta], [3, 8, 8]);
  assert.equal(bytes.payloadBytes, bytes.expectedPayloadBytes);
  assert.ok(ok);
  assert.equal(code, 0);
  t.diagnostic(`logits of the last row: unsharded ${unsharded.maxLogitError}, sharded ${sharded.maxLogitError}`);
});
