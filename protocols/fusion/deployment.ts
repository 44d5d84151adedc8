import type { Endpoint } from "../wire/endpoint.ts";
import { attnName, compName } from "../cascade/schedule.ts";

/** Parties that stand ready: the client's endpoint and the names of the nodes it can open sessions on. */
export interface Deployment {
  readonly client: Endpoint;
  readonly nodes: readonly string[];
  /** Ends what the deployment started. */
  close(): Promise<void>;
}

/** The nodes of a deployment with alpha CompNodes and beta² AttnNodes. */
export function nodeNames(alpha: number, beta: number): string[] {
  const names = Array.from({ length: alpha }, (_, i) => compName(i));
  for (let j = 0; j < beta; j++) for (let k = 0; k < beta; k++) names.push(attnName(j, k));
  return names;
}

/**
 * Who dials whom: the client dials every node, AttnNodes dial CompNodes. A CompNode sends more than it receives, and frames of the
 * dialled side are unmasked. AttnNodes have no links among themselves, nor have CompNodes.
 */
export function linkDirection(party: string, peer: string): "dial" | "accept" | null {
  const rank = (name: string): number => (name.startsWith("comp.") ? 0 : name.startsWith("attn.") ? 1 : 2);
  if (rank(party) === rank(peer)) return null;
  return rank(party) > rank(peer) ? "dial" : "accept";
}
