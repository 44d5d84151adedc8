import type { Endpoint } from "../../wire/endpoint.ts";
import { attnName, compName, DEALER, smpcName } from "../../cascade/schedule.ts";

/** Parties that stand ready: the client's endpoint and the names of the nodes it can open sessions on. */
export interface Deployment {
  readonly client: Endpoint;
  readonly nodes: readonly string[];
  /** Party (also the client, where known) to its machine; absent where all are on this one. */
  readonly machines?: Readonly<Record<string, string>>;
  /** Ends what the deployment started. */
  close(): Promise<void>;
}

/** How many parties of each kind a deployment has. */
export interface DeploymentShape {
  readonly alpha: number;
  readonly beta: number;
  /** SMPC parties; none where absent. */
  readonly parties?: number;
  /** A party that deals, because the client doesn't. */
  readonly dealer?: boolean;
  /** AttnNodes of a query shard have links among themselves: a masked merge needs them. */
  readonly attnLinks?: boolean;
}

/** The nodes of a deployment with alpha CompNodes, beta² AttnNodes, some SMPC parties and perhaps a dealer. */
export function nodeNames(alpha: number, beta: number, parties = 0, dealer = false): string[] {
  const names = Array.from({ length: alpha }, (_, i) => compName(i));
  for (let j = 0; j < beta; j++) for (let k = 0; k < beta; k++) names.push(attnName(j, k));
  for (let party = 0; party < parties; party++) names.push(smpcName(party));
  if (dealer) names.push(DEALER);
  return names;
}

/** The nodes of a deployment of this shape. */
export const namesOf = ({ alpha, beta, parties, dealer }: DeploymentShape): string[] =>
  nodeNames(alpha, beta, parties, dealer);

const RANKS: Readonly<Record<string, number>> = { comp: 0, attn: 1, smpc: 2, [DEALER]: 3 };

/** Kinds of nodes that have no links. */
const APART = new Set(["attn smpc", `attn ${DEALER}`, `comp ${DEALER}`]);

/**
 * Who dials whom: the client dials every node, AttnNodes and SMPC parties dial CompNodes, the dealer dials SMPC parties, and these dial
 * those of lower number; so do AttnNodes of one query shard where these are linked. A CompNode sends more than it receives, and frames of the dialled side are unmasked. Other AttnNodes
 * have no links among themselves, nor have CompNodes.
 */
export function linkDirection(
  party: string,
  peer: string,
  { attnLinks = false }: Pick<DeploymentShape, "attnLinks"> = {},
): "dial" | "accept" | null {
  const [kind, index, part] = party.split(".");
  const [other, otherIndex, otherPart] = peer.split(".");
  const [rank, otherRank] = [RANKS[kind] ?? 4, RANKS[other] ?? 4];
  if (kind === "attn" && other === "attn")
    return attnLinks && index === otherIndex && part !== otherPart ? dials(Number(part), Number(otherPart)) : null;
  if (rank === otherRank)
    return kind === "smpc" && index !== otherIndex ? dials(Number(index), Number(otherIndex)) : null;
  if (APART.has(rank < otherRank ? `${kind} ${other}` : `${other} ${kind}`)) return null;
  return dials(rank, otherRank);
}

const dials = (mine: number, other: number): "dial" | "accept" => (mine > other ? "dial" : "accept");
