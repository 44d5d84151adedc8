/** What a sharded run computes for one prompt, gathered from the views that the CompNodes recorded. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { GREEDY } from "../../layers/sampling.ts";
import { float32Of, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { partyKind } from "../../protocols/cascade/party-name.ts";
import type { OpenedDeployment } from "../../protocols/fusion/deployment/open-deployment.ts";
import { generate } from "../../protocols/fusion/client/generation.ts";
import { openSession } from "../../protocols/fusion/client/open-session.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { sessionCosts } from "../../protocols/fusion/record/session-costs.ts";
import { viewName, type ViewIndex } from "../../protocols/fusion/record/view-recorder.ts";
import { roundToFloat16, widenFloat16 } from "../../protocols/wire/float16.ts";
import { difference } from "./difference.ts";

export interface Bytes {
  readonly payloadBytes: number;
  readonly expectedPayloadBytes: number;
  readonly framingBytes: number;
}

/** Hidden rows of every layer and logits, as golden files hold them; greedy tokens where asked. */
export interface Reading {
  /** hidden[I] [T, d]; a decoder's last one has had the final norm */
  readonly hidden: readonly Float32Array[];
  /** [T, V]; null for an encoder */
  readonly logits: Float32Array | null;
  readonly greedy: readonly number[];
}

/** Runs a prompt through the parties twice: all rows with views, then `greedyTokens` tokens by caches. */
export async function shardedReading(
  opened: OpenedDeployment,
  config: RunConfig,
  viewsFolder: string,
  ids: readonly number[],
  greedyTokens: number,
): Promise<Reading & Bytes> {
  const { model, deployment, head } = opened;
  const prompt = { config, promptLength: ids.length };
  const session = await openSession(opened, { ...prompt, output: "all", maxNewTokens: 0, views: true });
  const result = await session.step(0, ids);
  if (!("rows" in result)) throw new Error("verify: expected rows from the parties, got a token");
  const reports = await session.close();
  const { finished, logits } = await head!.head(result.rows);
  const d = model.spec.width;
  const hidden = await hiddenRows(viewsFolder, deployment.nodes, session.number, model.spec.layers + 1, ids.length, d);
  if (difference(onWire(hidden[model.spec.layers], config.wire), result.rows.data).absolute > 0)
    throw new Error("verify: expected the rows that the client got in the CompNodes' views, got others");
  hidden[model.spec.layers] = finished.data as Float32Array;

  let bytes: Bytes = await sessionCosts(deployment, session, reports, model, 1);
  const greedy: number[] = [];
  if (greedyTokens > 0) {
    const again = await openSession(opened, { ...prompt, maxNewTokens: greedyTokens, views: false });
    for await (const token of generate(again, head, ids, GREEDY, new Set(model.spec.stopTokens))) greedy.push(token);
    const more = await sessionCosts(deployment, again, await again.close(), model, greedy.length);
    bytes = {
      payloadBytes: bytes.payloadBytes + more.payloadBytes,
      expectedPayloadBytes: bytes.expectedPayloadBytes + more.expectedPayloadBytes,
      framingBytes: bytes.framingBytes + more.framingBytes,
    };
  }
  return { hidden, logits: (logits?.data as Float32Array | undefined) ?? null, greedy, ...bytes };
}

/** What a receiver gets of rows that travel in `wire`. */
function onWire(rows: Float32Array, wire: RunConfig["wire"]): Float32Array {
  if (wire === "float32") return rows;
  const words = new Uint16Array(rows.length);
  roundToFloat16(rows, words);
  return widenFloat16(words);
}

/** Rows of all positions at every layer's input and after the last one, [layers + 1] of [T, d], from the views. */
async function hiddenRows(
  folder: string,
  nodes: readonly string[],
  session: number,
  stages: number,
  rows: number,
  d: number,
): Promise<Float32Array[]> {
  const hidden = Array.from({ length: stages }, () => new Float32Array(rows * d).fill(NaN));
  for (const node of nodes.filter((name) => partyKind(name) === "comp")) {
    const base = path.join(folder, viewName(node, session));
    const index = JSON.parse(await readFile(`${base}.json`, "utf8")) as ViewIndex;
    const tensors = await readSafetensorsFile(`${base}.safetensors`);
    for (const { tensor, kind, source, layer, positions } of index.entries) {
      if (kind !== "row" || source !== "computed" || positions === null) continue;
      const data = float32Of(tensors, tensor);
      positions.forEach((position, at) => hidden[layer].set(data.subarray(at * d, (at + 1) * d), position * d));
    }
  }
  return hidden;
}
