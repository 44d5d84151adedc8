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

/** The link of a party in one segment (by its first layer) and step. */
export function clientLink(
  session: Session,
  endpoint: Endpoint,
  { party, layer, step }: { readonly party: number; readonly layer: number; readonly step: number },
  plan: Plan,
  { streams }: { readonly streams: BatchStreams | null },
): PartyClient {
  const role = givenRole(plan, party);
  return {
    streams,
    async receive(level, bytes) {
      const { data } = await endpoint.receive(CLIENT, keyOf(session, "taken", layer, step, level), {
        shape: [1, bytes],
        word: "uint8",
        deadlineMs: session.idleDeadlineMs, // the client evaluates, and before it a person may think
      });
      return data as Uint8Array;
    },
    send: (level, data) =>
      endpoint.send(CLIENT, keyOf(session, role, layer, step, level), { data, shape: [1, data.length] }),
  };
}

/** As what a party's gives travel. */
export const givenRole = (plan: Plan, party: number): "given" | "ahead" =>
  party > 0 && answersAhead(plan) ? "ahead" : "given";
