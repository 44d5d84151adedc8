import type { Endpoint } from "../../wire/endpoint.ts";
import { DEALER, attnName, compName, parsePartyName, smpcName, type PartyKind } from "../../cascade/party-name.ts";

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

/** Of two kinds, the later one dials. */
const DIALLING: readonly PartyKind[] = ["comp", "attn", "smpc", "dealer", "client"];

/** Kinds of nodes that have no links, in that order. */
const APART = new Set(["attn smpc", "attn dealer", "comp dealer"]);

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
  const [mine, other] = [parsePartyName(party), parsePartyName(peer)];
  if (mine.kind === "attn" && other.kind === "attn")
    return attnLinks && mine.j === other.j ? direction(mine.k, other.k) : null;
  if (mine.kind === "smpc" && other.kind === "smpc") return direction(mine.party, other.party);
  const [rank, otherRank] = [DIALLING.indexOf(mine.kind), DIALLING.indexOf(other.kind)];
  if (APART.has(rank < otherRank ? `${mine.kind} ${other.kind}` : `${other.kind} ${mine.kind}`)) return null;
  return direction(rank, otherRank);
}

/** Of two different places the higher one dials; a place has no link with itself. */
const direction = (mine: number, other: number): "dial" | "accept" | null =>
  mine === other ? null : mine > other ? "dial" : "accept";
