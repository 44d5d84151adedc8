/** What a masked merge does not claim to stop: a CompNode that asks with queries of its own making gets single value rows through it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { RecordedView } from "../../../experiments/lab/views/recorded-view.ts";
import { openModel } from "../../../layers/model.ts";
import { onnxEngine } from "../../../layers/onnx/engine.ts";
import type { FloatArray } from "../../../layers/tensor.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { openSession } from "../../../protocols/fusion/client/open-session.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { inProcessDeployment } from "../../../protocols/fusion/deployment/in-process-deployment.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { withSend } from "../cascade/endpoint-with-send.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const IDS = Array.from({ length: 24 }, (_, t) => (t * 397 + 31) % 2048);
/** A head's row is a key's value row where no more of it is off. */
const SAME = 1e-3;

it("gives a CompNode that makes its queries a thousand times longer the value rows of other nodes' keys, one at a time", async () => {
  const scratch = await scratchFolder();
  const model = await openModel(DEFAULT_MODEL);
  const engine = await onnxEngine(model, { threads: 1 });
  const { heads, kvHeads, headDim } = engine.attention(0);
  const positions = IDS.map((_, t) => t);
  const { v } = await engine.pre(0, await engine.embed(IDS, positions), positions);
  /** Value rows that single heads of comp.0's merged rows are, of other nodes' positions. */
  const stolen = async (factor: number): Promise<Set<number>> => {
    const config = parseRunConfig({ alpha: 4, c: 1, smpcLayers: "none", merge: "masked", views: scratch.path });
    const deployment = await inProcessDeployment(
      model,
      engine,
      { alpha: 4, beta: 4, attnLinks: true },
      {
        viewsFolder: scratch.path,
        wrap: (endpoint) =>
          withSend(endpoint, (peer, key, tensor) => {
            const asks = endpoint.party === "comp.0" && key.role === "q" && key.layer === 0;
            const data = asks ? (tensor.data as Float32Array).map((value) => factor * value) : tensor.data;
            return endpoint.send(peer, key, { ...tensor, data });
          }),
      },
    );
    try {
      const client = new Client(deployment.client, model, deployment.nodes);
      const session = await openSession({ model, client }, { config, promptLength: IDS.length, maxNewTokens: 1 });
      await session.step(0, IDS);
      await session.close();
      const view = await RecordedView.read(scratch.path, "comp.0", session.number);
      const keys = new Set<number>();
      for (const [position, row] of view.rows("attended", 0))
        for (let head = 0; head < heads; head++)
          for (let key = 0; key < position; key++) {
            const from = key * kvHeads * headDim + Math.floor((head * kvHeads) / heads) * headDim;
            const value = v.data.subarray(from, from + headDim);
            if (key % 4 !== 0 && off(row.subarray(head * headDim, (head + 1) * headDim), value) < SAME) keys.add(key);
          }
      return keys;
    } finally {
      await deployment.close();
    }
  };
  assert.equal((await stolen(1)).size, 0, "as the model asks");
  assert.ok((await stolen(1000)).size >= 5, "one key's values, out of a sum that should show none");
  await engine.close();
});

function off(row: FloatArray, other: FloatArray): number {
  let [apart, all] = [0, 0];
  for (let i = 0; i < row.length; i++) {
    apart += (row[i] - other[i]) ** 2;
    all += other[i] ** 2;
  }
  return Math.sqrt(apart / all);
}
