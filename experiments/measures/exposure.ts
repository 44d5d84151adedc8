import { z } from "zod";
import { partyKind } from "../../protocols/cascade/party-name.ts";
import type { Measure } from "../lab/measure.ts";

/** What single parties see of a session, and what can be concluded from it. */
export const exposure: Measure = {
  name: "exposure",
  says: "what single parties see of a session, and how many tokens each can conclude, by the evidence that `weir run` prints",
  version: 1,
  options: z.strictObject({}),
  isOfNetwork: false,
  seconds: () => 2,
  async run(lab) {
    const { parties, conclusions, isHidden, promptIds, publicPrefixLength } = await lab.session();
    const secret = promptIds.length - publicPrefixLength;
    const alone = conclusions.filter((one) => one.parties.length === 1);
    const concluded = alone.map(({ parties: [party], findings }) => ({
      party,
      positions: new Set(findings.flatMap(({ positions }) => positions)).size,
      efforts: findings.map(({ effort }) => effort),
    }));
    const worst = concluded.toSorted((a, b) => b.positions - a.positions)[0];
    const seen = (kind: string): { maxCluster: number; minGap: number | null; positions: number } => {
      const views = Object.entries(parties).flatMap(([party, view]) => (partyKind(party) === kind ? [view] : []));
      const gaps = views.flatMap(({ minGap }) => minGap ?? []);
      return {
        maxCluster: Math.max(0, ...views.map((view) => view.maxCluster)),
        minGap: gaps.length === 0 ? null : Math.min(...gaps),
        positions: Math.max(0, ...views.map((view) => view.positions.length)),
      };
    };
    const [comp, attn] = [seen("comp"), seen("attn")];
    return {
      source: "run",
      verdict: isHidden ? "hidden" : "concluded",
      figures: {
        isHidden,
        secretTokens: secret,
        concludedTokens: worst?.positions ?? 0,
        concludedBy: worst === undefined || worst.positions === 0 ? null : worst.party,
        effort: worst === undefined || worst.positions === 0 ? null : worst.efforts.join(", "),
        compNodePositions: comp.positions,
        compNodeMinGap: comp.minGap,
        compNodeMaxCluster: comp.maxCluster,
        attnNodePositions: attn.positions,
        attnNodeMaxCluster: attn.maxCluster,
      },
    };
  },
};
