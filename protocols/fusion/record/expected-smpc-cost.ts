/** What the layers under SMPC must cost in a session: the declared expressions of gates, sharing, hand-over and dealing. */
import { byOwner, type Schedule } from "../../cascade/schedule.ts";
import type { Segment } from "../../cascade/segments.ts";
import { evaluateCosts, type CostFigures } from "../../cost.ts";
import { handOverBytes, handOverCost } from "../../smpc/run/hand-over.ts";
import { planCost, type PlanCost } from "../../smpc/plan/plan-cost.ts";
import { orderedSteps } from "../../smpc/run/ahead-steps.ts";
import { pieceSizes } from "../../smpc/run/batch-pieces.ts";
import { seedCost } from "../session/session-dealer.ts";
import { takeSeedCost } from "../client/client-evaluation.ts";
import { inputShareCost, packedBytes } from "../../smpc/run/share-rows.ts";
import { receivers } from "../node/smpc-party.ts";
import { zeroSeedCost } from "../node/zero-seeds.ts";
import type { SessionDescription } from "../session/session-description.ts";
import type { SmpcProgram } from "../session/smpc-program.ts";

export type SmpcPhase = "deal" | "share" | "online" | "take" | "give" | "ahead" | "handover";

/** What the SMPC segments of a session cost, between its parties, from plans or ahead of them. */
export interface SegmentCosts {
  readonly segments: readonly Segment[];
  /** Of a segment (by its index) in a step. */
  cost(segment: number, step: number): PlanCost;
}

/** The costs of plans that are made. */
export const segmentCosts = (program: SmpcProgram, parties: number): SegmentCosts => ({
  segments: program.segments,
  cost: (segment, step) => planCost(program.plan(segment, step), parties),
});

/**
 * Cost by phase of the first `steps` steps, of which one more is dealt if the session may have it. Rounds of dealing are none: it is
 * done before anybody waits.
 */
export function smpcCost(
  description: SessionDescription,
  schedule: Schedule,
  planned: SegmentCosts,
  steps: number,
): Record<SmpcPhase, CostFigures> {
  const { parties } = schedule;
  const total = {
    deal: nothing(),
    share: nothing(),
    online: nothing(),
    take: nothing(),
    give: nothing(),
    ahead: nothing(),
    handover: nothing(),
  };
  const add = (phase: SmpcPhase, cost: CostFigures): void => {
    for (const figure of ["payloadBytes", "messages", "rounds", "multiplyAdds"] as const)
      total[phase][figure] += cost[figure];
  };
  for (const seeds of [seedCost, zeroSeedCost]) add("deal", evaluateCosts(seeds, { n: parties }));
  const isAhead = planned.segments.every((_, index) => planned.cost(index, 0).client?.isAhead === true);
  const ordered = steps === 0 || !isAhead ? steps : orderedSteps(steps - 1, schedule.steps);
  for (let step = 0; step < Math.max(ordered, Math.min(steps + 1, schedule.steps)); step++) {
    const isOrdered = step < ordered;
    if (isOrdered && planned.segments.some((_, index) => planned.cost(index, step).client !== null))
      add("deal", evaluateCosts(takeSeedCost, { n: parties }));
    for (const [index, segment] of planned.segments.entries()) {
      const cost = planned.cost(index, step);
      const { client } = cost;
      if (client !== null && isOrdered)
        add("ahead", { ...nothing(), payloadBytes: client.aheadBytes, messages: client.aheadMessages });
      if (step > steps) continue;
      const pieces = pieceSizes(cost.dealtBytes).length;
      add("deal", { payloadBytes: cost.dealtBytes, messages: pieces, rounds: 0, multiplyAdds: 0 });
      if (step >= steps) continue;
      add("online", {
        payloadBytes: cost.onlineBytes,
        messages: cost.messages,
        rounds: cost.total.rounds,
        multiplyAdds: parties * cost.total.multiplyAdds,
      });
      if (client !== null) {
        const { takenBytes, takenMessages, givenBytes, givenMessages, rounds } = client;
        add("take", { ...nothing(), payloadBytes: takenBytes, messages: takenMessages, rounds });
        add("give", { ...nothing(), payloadBytes: givenBytes, messages: givenMessages });
      }
      const format = description.smpc!.formats[index];
      const positions = schedule.positions(step);
      const holders =
        segment.from === 0 ? [positions.length] : byOwner(schedule.r, positions).map(([, owned]) => owned.length);
      const packed = holders.map((rows) => packedBytes(rows * format.columns, format.inputBits));
      if (format.inputBits > 0)
        add("share", evaluateCosts(inputShareCost, { n: parties, Ms: holders.length, Bs: sum(packed) }));
      if (format.outputs.length === 0) continue;
      const taken = receivers({ ...description, schedule }, segment.to, step).map(([, rows]) => rows.length);
      const bytes = taken.map((rows) => handOverBytes(rows, format));
      add("handover", evaluateCosts(handOverCost, { n: parties, Mh: taken.length, Bh: sum(bytes) }));
    }
  }
  return total;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const nothing = (): { -readonly [figure in keyof CostFigures]: number } => ({
  payloadBytes: 0,
  messages: 0,
  rounds: 0,
  multiplyAdds: 0,
});
