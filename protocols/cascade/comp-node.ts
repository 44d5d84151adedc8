/**
 * A CompNode: it holds the rows of one shard R_i, layer by layer, and never a row of another shard.
 *
 * Functionality: for each step: ids of its new rows -> embed -> (pre-pass, merge, post-pass) per layer -> its rows to the client, or
 *   a token where the LM head is here. Layers under SMPC are left to the SMPC parties: they hand it its rows after them, it shares
 *   its rows to them before.
 * Parties: client, this node, all AttnNodes, the SMPC parties. Leaks: its own rows at every Cascade layer, the partial results of its
 *   rows, and its own token ids where layer 0 is not under SMPC.
 * Assumes: semi-honest. Cost: the passes' (pre-pass.ts, attention-pass.ts, post-pass.ts) plus the input and output messages (output.ts).
 * Reference: arXiv 2507.05228. Test: tests/protocols/cascade/equivalence.test.ts
 */
import type { StageEngine } from "../../layers/stage-engine.ts";
import { sampleToken } from "../../layers/sampling.ts";
import { takeRows, type Tensor } from "../../layers/tensor.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, NO_LAYER, type CascadeSession, type Witness } from "./cascade-session.ts";
import { shareRows } from "../smpc/run/share-rows.ts";
import { formatAt, receiveRows, tensorOf } from "./hand-over-rows.ts";
import { mergePartials } from "./post-pass.ts";
import { sendProjections, type LayerAt } from "./pre-pass.ts";
import { smpcName } from "./schedule.ts";

/** The party that owns the prompt. */
export const CLIENT = "client";

/** Runs CompNode `i` until the session's last step; rejects with the reason when the session or a peer ends before. */
export async function runCompNode(
  i: number,
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
): Promise<void> {
  const { schedule } = session;
  for (let step = 0; step < schedule.steps; step++) {
    const positions = schedule.rows(step, i);
    if (positions.length === 0) continue;
    const at = { step, positions };
    for (const segment of schedule.segments) {
      if (segment.kind === "smpc") continue;
      let x =
        segment.from === 0
          ? await embedIds(session, endpoint, engine, at)
          : await receiveHandOver(session, endpoint, engine, witness, at, segment.from); // [rows, d]
      for (let layer = segment.from; layer < segment.to; layer++) {
        witness.computed("row", layer, step, positions, x);
        x = await runLayer(session, endpoint, engine, witness, { node: i, layer, step, positions }, x);
      }
      witness.computed("row", segment.to, step, positions, x);
      if (segment.to < schedule.layers) await sendShares(session, endpoint, at, segment.to, x);
      else await sendOutput(session, endpoint, engine, witness, step, positions, x);
    }
    if (schedule.segments.at(-1)!.kind === "smpc") await answerHead(i, session, endpoint, engine, witness, step);
  }
}

/** Which rows a CompNode works on. */
interface RowsAt {
  readonly step: number;
  readonly positions: readonly number[];
}

async function embedIds(
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  { step, positions }: RowsAt,
): Promise<Tensor> {
  const ids = await endpoint.receive(CLIENT, keyOf(session, "ids", NO_LAYER, step), {
    shape: [positions.length, 1],
    word: "int32",
    deadlineMs: session.idleDeadlineMs,
  });
  return engine.embed(Array.from(ids.data), positions);
}

/** The rows before `layer` from what every SMPC party sends of its shares, [rows, d]. */
async function receiveHandOver(
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
  { step, positions }: RowsAt,
  layer: number,
): Promise<Tensor> {
  const { outputs, failed } = await receiveRows(session, endpoint, layer, step, positions);
  for (const { position, site } of failed) witness.failed?.(position, site);
  return tensorOf(outputs.rows, positions.length, engine.word);
}

async function sendShares(
  session: CascadeSession,
  endpoint: Endpoint,
  { step }: RowsAt,
  layer: number,
  x: Tensor,
): Promise<void> {
  const { parties } = session.schedule;
  const messages = shareRows(x.data, parties, formatAt(session, "from", layer));
  await Promise.all(
    messages.map((data, party) =>
      endpoint.send(smpcName(party), keyOf(session, "shares", layer, step), { data, shape: [1, data.length] }),
    ),
  );
}

/** The LM head here although the last layers are under SMPC: their last row comes to who owns its position. */
async function answerHead(
  i: number,
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
  step: number,
): Promise<void> {
  const { schedule } = session;
  if (session.head === "client" || session.output === "all" || schedule.lastOwner(step) !== i) return;
  const position = schedule.stepRange(step)[1] - 1;
  const row = await receiveHandOver(
    session,
    endpoint,
    engine,
    witness,
    { step, positions: [position] },
    schedule.layers,
  );
  witness.computed("row", schedule.layers, step, [position], row);
  await sendToken(session, endpoint, engine, witness, step, position, row);
}

async function runLayer(
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
  at: LayerAt,
  x: Tensor,
): Promise<Tensor> {
  const projections = await engine.pre(at.layer, x, at.positions);
  for (const kind of ["q", "k", "v"] as const)
    witness.computed(kind, at.layer, at.step, at.positions, projections[kind]);
  await sendProjections(session, endpoint, at, projections);
  const attended = await mergePartials(session, endpoint, engine, at);
  witness.computed("attended", at.layer, at.step, at.positions, attended);
  return engine.post(at.layer, x, attended);
}

async function sendOutput(
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
  step: number,
  positions: readonly number[],
  x: Tensor,
): Promise<void> {
  const last = positions.indexOf(session.schedule.stepRange(step)[1] - 1);
  if (session.output === "all") {
    await endpoint.send(CLIENT, keyOf(session, "hidden", NO_LAYER, step), {
      data: x.data,
      shape: [positions.length, x.shape[1]],
    });
  } else if (last >= 0) {
    const row = takeRows(x, [last]);
    if (session.head === "client") {
      await endpoint.send(CLIENT, keyOf(session, "hidden", NO_LAYER, step), { data: row.data, shape: [1, x.shape[1]] });
    } else {
      await sendToken(session, endpoint, engine, witness, step, positions[last], row);
    }
  }
}

async function sendToken(
  session: CascadeSession,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
  step: number,
  position: number,
  row: Tensor,
): Promise<void> {
  const token = await tokenFrom(session, engine, witness, step, position, row);
  await endpoint.send(CLIENT, keyOf(session, "token", NO_LAYER, step), { data: Int32Array.of(token), shape: [1, 1] });
}

/** The next token, where the LM head is at the CompNode: from then on it knows the model's guess of a token that is not its own. */
async function tokenFrom(
  session: CascadeSession,
  engine: StageEngine,
  witness: Witness,
  step: number,
  position: number,
  row: Tensor,
): Promise<number> {
  const { logits } = await engine.head(row);
  if (logits === null || session.sampling === null)
    throw new Error(
      "head at the CompNode: expected a model with an LM head and a sampling rule, got an encoder or none; use head: client",
    );
  witness.computed("logits", NO_LAYER, step, [position], logits);
  const token = sampleToken(logits.data, session.sampling, step);
  witness.computed("token", NO_LAYER, step, [position + 1], { data: Float32Array.of(token), shape: [1, 1] });
  return token;
}
