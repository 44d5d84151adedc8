/**
 * Rows after layers under SMPC, at who gets them.
 *
 * Functionality: a CompNode (or the client) adds up the shares of its own rows that the SMPC parties send it (protocols/smpc/run/hand-over.ts).
 * Parties: the SMPC parties (their shares of these rows), the receiver (its rows). Leaks: to the receiver its own rows and check words.
 * Assumes: semi-honest. Cost: `handOverCost`. Error bound: none (decoding is exact).
 * Reference: smpc.md, "Hand-over to Cascade". Test: tests/protocols/fusion/smpc-sessions.test.ts
 */
import { allocate, type Tensor, type Word } from "../../layers/tensor.ts";
import { handOverBytes, joinRows, type JoinedRows } from "../smpc/run/hand-over.ts";
import { differingPairs, tagsBytes } from "../smpc/run/opened-tags.ts";
import type { SegmentFormat } from "../smpc/plan/placement.ts";
import type { Endpoint } from "../wire/endpoint.ts";
import { keyOf, type Session } from "./session.ts";
import { smpcName } from "./party-name.ts";

/** How shares enter and leave the SMPC segment that begins with, or ends before, a layer. Throws Error where there is none. */
export function formatAt({ schedule, smpc }: Session, edge: "from" | "to", layer: number): SegmentFormat {
  const at = schedule.segments.filter(({ kind }) => kind === "smpc").findIndex((segment) => segment[edge] === layer);
  const format = smpc?.formats[at];
  if (format === undefined) throw new Error(`layer ${layer}: expected a format of an SMPC segment, got none`);
  return format;
}

/**
 * The rows at `positions` after the SMPC segment that ends before `layer`: every party's shares of them, added up. Throws Error naming the
 * step and the parties where two of them opened different words.
 */
export async function receiveRows(
  session: Session,
  endpoint: Endpoint,
  layer: number,
  step: number,
  positions: readonly number[],
): Promise<JoinedRows> {
  const format = formatAt(session, "to", layer);
  const tags = tagsBytes(session.schedule.parties);
  const shape = [1, tags + handOverBytes(positions.length, format)] as const;
  const messages = await Promise.all(
    Array.from({ length: session.schedule.parties }, (_, party) =>
      endpoint.receive(smpcName(party), keyOf(session, "handover", layer, step), {
        shape,
        word: "uint8",
        deadlineMs: session.idleDeadlineMs, // the parties compute, and before them a person may think
      }),
    ),
  );
  const bytes = messages.map(({ data }) => data as Uint8Array);
  checkOpened(
    bytes.map((message) => message.subarray(0, tags)),
    layer,
    step,
  );
  return joinRows(
    bytes.map((message) => message.subarray(tags)),
    positions,
    format,
  );
}

function checkOpened(tags: readonly Uint8Array[], layer: number, step: number): void {
  const differing = differingPairs(tags);
  if (differing.length === 0) return;
  const pairs = differing.map((pair) => pair.map(smpcName).join(" and ")).join(", ");
  throw new Error(
    `opened words of step ${step}, before layer ${layer}: expected the same at all SMPC parties, got different ones at ${pairs}; a party sent its peers different words, or a link changed them`,
  );
}

/** Real numbers as rows of a word, [rows, values.length / rows]. */
export function tensorOf(values: Float64Array, rows: number, word: Word): Tensor {
  const data = allocate(word, values.length);
  data.set(values);
  return { data, shape: [rows, values.length / rows] };
}
