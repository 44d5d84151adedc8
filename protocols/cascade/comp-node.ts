/**
 * A CompNode: it holds the rows of one shard R_i, layer by layer, and never a row of another shard.
 *
 * Functionality: for each step: ids of its new rows -> embed -> (pre-pass, merge, post-pass) per layer -> its rows to the client, or
 *   a token where the LM head is here. Layers under SMPC are left to the SMPC parties: they hand it its rows after them, it shares
 *   its rows to them before.
 * Parties: client, this node, all AttnNodes, the SMPC parties. Leaks: its own rows at every Cascade layer, the partial results of its
 *   rows, and its own token ids where layer 0 is not under SMPC.
 * Assumes: semi-honest. Cost: the passes' (pre-pass.ts, attention-pass.ts, post-pass.ts) plus the input and output messages (edges.ts).
 * Error bound: the passes'. Reference: arXiv 2507.05228. Test: tests/protocols/cascade/equivalence.test.ts
 */
import { forwardPass, type Attend } from "../../layers/forward-pass.ts";
import { sampleToken } from "../../layers/sampling.ts";
import type { StageEngine } from "../../layers/stage-engine.ts";
import { takeRows, type Tensor } from "../../layers/tensor.ts";
import { shareRows } from "../smpc/run/share-rows.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, NO_LAYER, type Session, type Witness } from "./session.ts";
import { formatAt, receiveRows, tensorOf } from "./hand-over-rows.ts";
import { CLIENT, smpcName } from "./party-name.ts";
import { mergePartials } from "./post-pass.ts";
import { sendProjections } from "./pre-pass.ts";

/** Runs CompNode `i` until the session's last step; rejects with the reason when the session or a peer ends before. */
export async function runCompNode(
  i: number,
  session: Session,
  endpoint: Endpoint,
  engine: StageEngine,
  witness: Witness,
): Promise<void> {
  await new CompNode(i, session, endpoint, engine, witness).run();
}

/** Which rows the node works on: those of its positions in a step. */
interface StepRows {
  readonly step: number;
  readonly positions: readonly number[];
}

class CompNode {
  readonly #i: number;
  readonly #session: Session;
  readonly #endpoint: Endpoint;
  readonly #engine: StageEngine;
  readonly #witness: Witness;

  constructor(i: number, session: Session, endpoint: Endpoint, engine: StageEngine, witness: Witness) {
    this.#i = i;
    this.#session = session;
    this.#endpoint = endpoint;
    this.#engine = engine;
    this.#witness = witness;
  }

  async run(): Promise<void> {
    const { schedule } = this.#session;
    for (let step = 0; step < schedule.steps; step++) {
      const positions = schedule.rows(step, this.#i);
      if (positions.length === 0) continue;
      const rows = { step, positions };
      for (const { kind, from, to } of schedule.segments) {
        if (kind === "smpc") continue;
        const x = await this.#layers(
          from,
          to,
          rows,
          from === 0 ? await this.#embed(rows) : await this.#join(from, rows),
        );
        if (to < schedule.layers) await this.#share(to, step, x);
        else await this.#giveOutput(rows, x);
      }
      if (schedule.segments.at(-1)!.kind === "smpc") await this.#answerHead(step);
    }
  }

  /** The ids of its rows from the client, embedded: [rows, d]. */
  async #embed({ step, positions }: StepRows): Promise<Tensor> {
    const ids = await this.#endpoint.receive(CLIENT, keyOf(this.#session, "ids", NO_LAYER, step), {
      shape: [positions.length, 1],
      word: "int32",
      deadlineMs: this.#session.idleDeadlineMs,
    });
    return this.#engine.embed(Array.from(ids.data), positions);
  }

  /** The rows before `layer` from what every SMPC party sends of its shares, [rows, d]. */
  async #join(layer: number, { step, positions }: StepRows): Promise<Tensor> {
    const { outputs, failed } = await receiveRows(this.#session, this.#endpoint, layer, step, positions);
    for (const { position, site } of failed) this.#witness.failed?.(position, site);
    return tensorOf(outputs.rows, positions.length, this.#engine.word);
  }

  /** Rows [rows, d] through the Cascade layers [from, to): what is outside attention here, attention at the AttnNodes. */
  async #layers(from: number, to: number, { step, positions }: StepRows, x: Tensor): Promise<Tensor> {
    const attend: Attend = async (layer, projections) => {
      const at = { node: this.#i, layer, step, positions };
      for (const kind of ["q", "k", "v"] as const)
        this.#witness.computed(kind, layer, step, positions, projections[kind]);
      await sendProjections(this.#session, this.#endpoint, at, projections);
      const attended = await mergePartials(this.#session, this.#endpoint, this.#engine, at);
      this.#witness.computed("attended", layer, step, positions, attended);
      return attended;
    };
    let layer = from;
    for await (const rows of forwardPass(this.#engine, x, positions, { from, to, attend })) {
      this.#witness.computed("row", layer++, step, positions, rows);
      x = rows;
    }
    return x;
  }

  /** Gives every SMPC party its share of the rows before `layer`. */
  async #share(layer: number, step: number, x: Tensor): Promise<void> {
    const messages = shareRows(x.data, this.#session.schedule.parties, formatAt(this.#session, "from", layer));
    await Promise.all(
      messages.map((data, party) =>
        this.#endpoint.send(smpcName(party), keyOf(this.#session, "shares", layer, step), {
          data,
          shape: [1, data.length],
        }),
      ),
    );
  }

  /** What leaves after the last layer: all rows, the step's last row, or the token that follows it. */
  async #giveOutput({ step, positions }: StepRows, x: Tensor): Promise<void> {
    const { output, head, schedule } = this.#session;
    if (output === "all") return this.#sendRows(step, x);
    const last = positions.indexOf(schedule.stepRange(step)[1] - 1);
    if (last < 0) return;
    const row = takeRows(x, [last]);
    if (head === "client") await this.#sendRows(step, row);
    else await this.#sendToken(step, positions[last], row);
  }

  /** The LM head here although the last layers are under SMPC: their last row comes to who owns its position. */
  async #answerHead(step: number): Promise<void> {
    const { head, output, schedule } = this.#session;
    if (head === "client" || output === "all" || schedule.lastOwner(step) !== this.#i) return;
    const position = schedule.stepRange(step)[1] - 1;
    const row = await this.#join(schedule.layers, { step, positions: [position] });
    this.#witness.computed("row", schedule.layers, step, [position], row);
    await this.#sendToken(step, position, row);
  }

  async #sendRows(step: number, { data, shape }: Tensor): Promise<void> {
    await this.#endpoint.send(CLIENT, keyOf(this.#session, "hidden", NO_LAYER, step), {
      data,
      shape: [shape[0], shape[1]],
    });
  }

  async #sendToken(step: number, position: number, row: Tensor): Promise<void> {
    const token = await this.#tokenFrom(step, position, row);
    const key = keyOf(this.#session, "token", NO_LAYER, step);
    await this.#endpoint.send(CLIENT, key, { data: Int32Array.of(token), shape: [1, 1] });
  }

  /** The next token, where the LM head is at the CompNode: from then on it knows the model's guess of a token that is not its own. */
  async #tokenFrom(step: number, position: number, row: Tensor): Promise<number> {
    const { sampling } = this.#session;
    const { logits } = await this.#engine.head(row);
    if (logits === null || sampling === null)
      throw new Error(
        "head at the CompNode: expected a model with an LM head and a sampling rule, got an encoder or none; use head: client",
      );
    this.#witness.computed("logits", NO_LAYER, step, [position], logits);
    const token = sampleToken(logits.data, sampling, step);
    this.#witness.computed("token", NO_LAYER, step, [position + 1], { data: Float32Array.of(token), shape: [1, 1] });
    return token;
  }
}
