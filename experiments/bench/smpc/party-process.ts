/** The process of one party of a bench, started by parties.ts: it takes calls over its channel to its parent, and ends with it. */
import { smpcName } from "../../../protocols/cascade/party-name.ts";
import { Node } from "../../../protocols/fusion/node/node.ts";
import { sessionFrom, type SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import { SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import { BENCH_LIMITS } from "./limits.ts";
import { OnlineClock, type TimedParty } from "./online-clock.ts";
import { openLayers, type LayersToRun } from "./workload.ts";

/** Parent -> party. */
export interface PartyCall {
  readonly id: number;
  readonly call: "listen" | "join" | keyof TimedParty;
  readonly argument: unknown;
}

/** Party -> parent: what the call of this id gave, or why it failed. */
export type PartyAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: string };

export interface ListenOrder {
  readonly party: number;
  readonly run: LayersToRun;
  /** Of the sessions to come: all that they compute from is made ahead of the first. */
  readonly description: SessionDescription;
}

const clock = new OnlineClock();
let node: Node | null = null;

process.on("message", ({ id, call, argument }: PartyCall) => {
  follow(call, argument).then(
    (value) => tell({ id, value: value ?? null }),
    (error: unknown) => tell({ id, failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.on("disconnect", () => {
  void (node?.close() ?? Promise.resolve()).finally(() => process.exit());
});

async function follow(call: PartyCall["call"], argument: unknown): Promise<unknown> {
  switch (call) {
    case "listen":
      return listen(argument as ListenOrder);
    case "join":
      return node!.join(argument as Record<string, string>);
    case "received":
    case "compute":
      return clock[call]();
  }
}

async function listen({ party, run, description }: ListenOrder): Promise<string> {
  const model = await openLayers(run);
  const smpc = description.smpc!;
  const { schedule, publicPrefix } = sessionFrom(0, description, model.spec, model.program);
  await SmpcProgram.open(model, schedule, smpc, publicPrefix);
  node = await Node.host(
    {
      party: smpcName(party),
      alpha: 0,
      beta: 0,
      parties: smpc.parties,
      model,
      listen: "ws://127.0.0.1:0",
      viewsFolder: null,
      limits: BENCH_LIMITS,
      phases: clock,
    },
    null,
  );
  return node.endpoint.address!;
}

function tell(answer: PartyAnswer): void {
  if (process.connected) process.send!(answer);
}
