import type { SamplingRule } from "../../layers/sampling.ts";
import type { Tensor } from "../../layers/tensor.ts";
import type { MessageKey, WireTensor, WireWord } from "../wire/endpoint.ts";
import type { Role } from "../wire/messages.ts";
import type { SmpcPlacement } from "../smpc/plan/placement.ts";
import type { MergeScales } from "./merge-scales.ts";
import type { Schedule } from "./schedule.ts";

/** What every party of a session knows, whatever its layers run under: public. */
export interface Session {
  /** Its messages and its batches of correlations bear it. */
  readonly number: number;
  readonly schedule: Schedule;
  /** Ids of the public tokens that the prompt begins with. */
  readonly publicPrefix: readonly number[];
  /** How float tensors travel. */
  readonly wire: WireWord;
  /** Who turns the last hidden row into a token. Whoever does sees the model's guess of the next token. */
  readonly head: "client" | "compnode";
  /** Which rows of the last layer the client gets: the last one of each step, or all (encoders, checks). */
  readonly output: "last" | "all";
  /** Only for a head at the CompNode. */
  readonly sampling: SamplingRule | null;
  /** How long a party waits for a step to begin: a person may be thinking. */
  readonly idleDeadlineMs: number;
  /** How words of a masked merge stand for numbers; null: partial results are merged in the clear. */
  readonly mergeScales: MergeScales | null;
  /** Layers under SMPC; null: none. */
  readonly smpc: SmpcPlacement | null;
}

/** Tensors that a party computes in the clear, by kind; masked: its own part of opened words. */
export type ComputedKind = "row" | "q" | "k" | "v" | "attended" | "logits" | "token" | "masked";

/** Told of every tensor that a party computes in the clear; the ledger and the view recorder listen. */
export interface Witness {
  computed(
    kind: ComputedKind,
    layer: number,
    step: number,
    positions: readonly number[],
    tensor: Tensor | WireTensor,
  ): void;
  /** A row that SMPC parties handed over failed the check of a site: it is wrong. */
  failed?(position: number, site: string): void;
}

/** The key of a message of this session. */
export function keyOf(session: Session, role: Role, layer: number, step: number, part = 0): MessageKey {
  return { session: session.number, layer, step, role, part };
}

/** The layer number of messages outside the layers. */
export const NO_LAYER = -1;
