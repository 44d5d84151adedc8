/** What a sharded run computes for one prompt, gathered from the views that the CompNodes recorded. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { GREEDY } from "../../layers/sampling.ts";
import { float32Of, readSafetensorsFile } from "../../layers/weights/safetensors-file.ts";
import { partyKind } from "../../protocols/cascade/party-name.ts";
import type { ClientSession } from "../../protocols/fusion/client/client.ts";
import type { OpenedDeployment } from "../../protocols/fusion/deployment/open-deployment.ts";
import { generate } from "../../protocols/fusion/client/generation.ts";
import { openSession } from "../../protocols/fusion/client/open-session.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { PartyReport } from "../../protocols/fusion/record/party-report.ts";
import { sessionCosts } from "../../protocols/fusion/record/session-costs.ts";
import { smpcRecord } from "../../protocols/fusion/record/smpc-record.ts";
import { viewName, type ViewIndex } from "../../protocols/fusion/record/view-recorder.ts";
import { roundToFloat16, widenFloat16 } from "../../protocols/wire/float16.ts";
import { difference } from "./difference.ts";
import type { VerifyRecord } from "./verify-record.ts";

/** What the parties sent, counted and declared. */
export type Costs = VerifyRecord["bytes"];

/** Hidden rows of every layer and logits, as golden files hold them; greedy tokens where asked. */
export interface Reading {
  /** hidden[I] [T, d]; a decoder's last one has had the final norm. Null: under SMPC, where no party sees them. */
  readonly hidden: readonly (Float32Array | null)[];
  /** [T, V]; null for an encoder */
  readonly logits: Float32Array | null;
  readonly greedy: readonly number[];
}

/** A reading through the parties, and what it cost. */
export interface ShardedReading extends Reading {
  readonly costs: Costs;
  /** Rows under SMPC that left a range. */
  readonly failedRows: number;
}

/**
 * Runs a prompt through the parties twice: all rows with views, then `greedyTokens` tokens by caches. Throws Error where the client got
 * other rows than the CompNodes sent, or where rows are no numbers.
 */
export async function shardedReading(
  opened: OpenedDeployment,
  config: RunConfig,
  viewsFolder: string,
  ids: readonly number[],
  greedyTokens: number,
): Promise<ShardedReading> {
  const { model, deployment, head } = opened;
  const { layers, width } = model.spec;
  const prompt = { config, promptLength: ids.length };
  const session = await openSession(opened, { ...prompt, output: "all", maxNewTokens: 0, views: true });
  const result = await session.step(0, ids);
  if (!("rows" in result)) throw new Error("verify: expected rows from the parties, got a token");
  const first = await costsOf(opened, session, await session.close(), 1);
  const { finished, logits } = await head!.head(result.rows);
  const hidden = await hiddenRows(viewsFolder, deployment.nodes, session.number, layers + 1, ids.length, width);
  const last = hidden[layers];
  if (last !== null && difference(onWire(last, config.wire), result.rows.data).absolute > 0)
    throw new Error("verify: expected the rows that the client got in the CompNodes' views, got others");
  hidden[layers] = finished.data as Float32Array;
  const reading = { hidden, logits: (logits?.data as Float32Array | undefined) ?? null };
  if (greedyTokens === 0) return { ...reading, greedy: [], ...first };

  const greedy: number[] = [];
  const again = await openSession(opened, { ...prompt, maxNewTokens: greedyTokens, views: false });
  for await (const token of generate(again, head, ids, GREEDY, new Set(model.spec.stopTokens))) greedy.push(token);
  const more = await costsOf(opened, again, await again.close(), greedy.length);
  return {
    ...reading,
    greedy,
    costs: sumOf(first.costs, more.costs),
    failedRows: first.failedRows + more.failedRows,
  };
}

/** What an ended session of `steps` steps cost, and what failed in it. */
async function costsOf(
  { deployment, model }: OpenedDeployment,
  session: ClientSession,
  reports: readonly PartyReport[],
  steps: number,
): Promise<Pick<ShardedReading, "costs" | "failedRows">> {
  const costs = await sessionCosts(deployment, session, reports, model, steps);
  const { payloadBytes, expectedPayloadBytes, framingBytes, rounds, expectedRounds } = costs;
  const smpc = smpcRecord(session, reports, costs, deployment.machines);
  return {
    costs: { payloadBytes, expectedPayloadBytes, framingBytes, rounds, expectedRounds },
    failedRows: smpc?.failedRows.length ?? 0,
  };
}

/** Costs of two sessions together. */
export function sumOf(a: Costs, b: Costs): Costs {
  return {
    payloadBytes: a.payloadBytes + b.payloadBytes,
    expectedPayloadBytes: a.expectedPayloadBytes + b.expectedPayloadBytes,
    framingBytes: a.framingBytes + b.framingBytes,
    rounds: a.rounds + b.rounds,
    expectedRounds: a.expectedRounds + b.expectedRounds,
  };
}

/** What a receiver gets of rows that travel in `wire`. */
function onWire(rows: Float32Array, wire: RunConfig["wire"]): Float32Array {
  if (wire === "float32") return rows;
  const words = new Uint16Array(rows.length);
  roundToFloat16(rows, words);
  return widenFloat16(words);
}

/**
 * Rows of all positions at every layer's input and after the last one, [layers + 1] of [T, d], from the views; null where no CompNode
 * computes in the clear.
 */
async function hiddenRows(
  folder: string,
  nodes: readonly string[],
  session: number,
  stages: number,
  rows: number,
  d: number,
): Promise<(Float32Array | null)[]> {
  const hidden = Array.from({ length: stages }, (): Float32Array | null => null);
  for (const node of nodes.filter((name) => partyKind(name) === "comp")) {
    const base = path.join(folder, viewName(node, session));
    const index = JSON.parse(await readFile(`${base}.json`, "utf8")) as ViewIndex;
    const tensors = await readSafetensorsFile(`${base}.safetensors`);
    for (const { tensor, kind, source, layer, positions } of index.entries) {
      if (kind !== "row" || source !== "computed" || positions === null) continue;
      const data = float32Of(tensors, tensor);
      const all = (hidden[layer] ??= new Float32Array(rows * d).fill(NaN));
      positions.forEach((position, at) => all.set(data.subarray(at * d, (at + 1) * d), position * d));
    }
  }
  return hidden;
}
