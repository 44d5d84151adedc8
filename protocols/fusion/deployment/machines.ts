import { warn } from "../../../layers/warning.ts";
import { CLIENT, DEALER, smpcName } from "../../cascade/party-name.ts";

/** Which party runs where. */
export interface PlacedParties {
  readonly parties?: number;
  readonly dealer?: boolean;
  /** Party to address. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Party (also the client) to the name of its machine. */
  readonly machines?: Readonly<Record<string, string>>;
  readonly insecureColocation?: boolean;
}

/** The machine of a party: its label, or the host of its address; null for a client without a label. */
export function machineOf(party: string, { nodes, machines }: PlacedParties): string | null {
  const label = machines?.[party];
  if (label !== undefined) return label;
  const address = nodes[party] as string | undefined;
  return address === undefined ? null : new URL(address).hostname;
}

/**
 * What is wrong with a placement, a line each: a machine that holds every SMPC party's shares, or one party's beside what is dealt, can
 * open all of them.
 */
export function colocations(placed: PlacedParties): string[] {
  const { parties = 0, dealer = false } = placed;
  if (parties === 0) return [];
  const machines = Array.from({ length: parties }, (_, party) => machineOf(smpcName(party), placed));
  const faults: string[] = [];
  if (new Set(machines).size === 1)
    faults.push(
      `${smpcName(0)} to ${smpcName(parties - 1)}: expected more than one machine, got ${machines[0]} for all`,
    );
  const dealing = dealer ? DEALER : CLIENT;
  const dealt = machineOf(dealing, placed);
  const beside = dealt === null ? -1 : machines.indexOf(dealt);
  if (beside >= 0)
    faults.push(
      `${dealing}, which deals: expected a machine without an SMPC party, got ${dealt}, which has ${smpcName(beside)}`,
    );
  return faults;
}

/** What a warning was given of already. */
const warned = new Set<string>();

/** Refuses such a placement unless it says that it is insecure; then says so. Throws Error naming the machine and the parties. */
export function checkMachines(placed: PlacedParties, from: string): void {
  const faults = colocations(placed);
  if (faults.length === 0) return;
  if (placed.insecureColocation !== true)
    throw new Error(
      `${from}: ${faults.join("; ")}. Who has that machine reads the whole prompt; "insecureColocation": true (--insecure-colocation) allows it`,
    );
  if (warned.has(from)) return;
  warned.add(from);
  // record: cells-share-words.ndjson: controls.positive.mean == 1; proof: secrecy: a party with the dealer
  warn(`${from}: ${faults.join("; ")}: nothing is secret from that machine (insecureColocation)`);
}
