/**
 * A party's side of a client that evaluates gates.
 *
 * Functionality: takes of a level come in at party 0, gives of a level go out from every party; those of the other parties ahead of time
 *   where their shares come from seeds alone. Parties: an SMPC party, the client. Leaks: to party 0 uniform words.
 * Assumes: private links. Cost: `ClientCost` of protocols/smpc/plan/plan-cost.ts. Error bound: none. Reference: Slalom, arXiv 1806.03287.
 * Test: tests/protocols/smpc/delegated-models.test.ts
 */
import type { BatchStreams } from "../../../shares/stream-book.ts";
import { CLIENT } from "../../cascade/party-name.ts";
import { keyOf, type Session } from "../../cascade/session.ts";
import type { Plan } from "../../smpc/plan/instruction.ts";
import { answersAhead } from "../../smpc/plan/plan-cost.ts";
import type { PartyClient } from "../../smpc/run/party-run.ts";
import type { Endpoint } from "../../wire/endpoint.ts";

/** Where a link stands: the segment by its first layer, and the step, or the steps that are answered together. */
export interface LinkPlace {
  readonly party: number;
  readonly layer: number;
  readonly steps: readonly number[];
}

/** The link of a party in one segment; `streams`: of each step, null at party 0 and where the client evaluates nothing. */
export function clientLink(
  session: Session,
  endpoint: Endpoint,
  { party, layer, steps }: LinkPlace,
  plan: Plan,
  streams: readonly BatchStreams[] | null,
): PartyClient {
  const role = givenRole(plan, party);
  return {
    groups: steps.length,
    streams: streams === null ? null : joined(streams),
    async receive(level, bytes) {
      const { data } = await endpoint.receive(CLIENT, keyOf(session, "taken", layer, steps[0], level), {
        shape: [1, bytes],
        word: "uint8",
        deadlineMs: session.idleDeadlineMs, // the client evaluates, and before it a person may think
      });
      return data as Uint8Array;
    },
    send: (level, data, group) =>
      endpoint.send(CLIENT, keyOf(session, role, layer, steps[group], level), { data, shape: [1, data.length] }),
  };
}

/** Streams that fill as many parts of an array in turn. */
function joined(streams: readonly BatchStreams[]): BatchStreams {
  if (streams.length === 1) return streams[0];
  return {
    stream(purpose) {
      const all = streams.map((each) => each.stream(purpose));
      return {
        fillWords(out, bits) {
          const length = out.length / all.length;
          all.forEach((each, at) => each.fillWords(out.subarray(at * length, (at + 1) * length), bits));
        },
        packedWords() {
          throw new Error(`stream ${purpose}: expected words of steps that are answered together, got packed ones`);
        },
      };
    },
  };
}

/** As what a party's gives travel. */
export const givenRole = (plan: Plan, party: number): "given" | "ahead" =>
  party > 0 && answersAhead(plan) ? "ahead" : "given";
