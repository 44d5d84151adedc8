/** The process of one bench party, started by parties.ts: it takes calls over its channel to its parent, and ends with it. */
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import { LocalBenchParty, type BenchParty } from "./bench-party.ts";
import { partyEndpoint } from "./endpoints.ts";

/** Parent -> party. */
export interface PartyCall {
  readonly id: number;
  readonly call: "listen" | "join" | keyof BenchParty;
  readonly argument: unknown;
}

/** Party -> parent: what the call of this id gave, or why it failed. */
export type PartyAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: string };

export interface ListenOrder {
  readonly party: number;
  readonly parties: number;
  readonly listen: string;
}

let endpoint: PartyEndpoint | null = null;
let party: LocalBenchParty | null = null;

process.on("message", ({ id, call, argument }: PartyCall) => {
  follow(call, argument).then(
    (value) => tell({ id, value: value ?? null }),
    (error: unknown) => tell({ id, failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => {
  void (endpoint?.close() ?? Promise.resolve()).finally(() => process.exit());
});

async function follow(call: PartyCall["call"], argument: unknown): Promise<unknown> {
  if (call === "listen") {
    const order = argument as ListenOrder;
    endpoint = await partyEndpoint(order);
    party = new LocalBenchParty(order.party, order.parties, endpoint);
    return endpoint.address;
  }
  if (call === "join") return endpoint!.connect(argument as Record<string, string>);
  return party![call](argument as never);
}

function tell(answer: PartyAnswer): void {
  if (process.connected) process.send!(answer);
}
