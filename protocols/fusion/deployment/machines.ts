import { warn } from "../../../layers/warning.ts";
import { CLIENT, DEALER, smpcName } from "../../cascade/party-name.ts";
import { isLoopback } from "../../wire/websocket-address.ts";

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

/** What all addresses of one's own machine are called: localhost, ::1, 0.0.0.0, ... */
const OWN = "127.0.0.1";

/** The machine of a party: its label, or the host of its address, the same for all spellings of it; null for a client without a label. */
export function machineOf(party: string, { nodes, machines }: PlacedParties): string | null {
  const label = machines?.[party];
  if (label !== undefined) return label;
  const address = nodes[party] as string | undefined;
  return address === undefined ? null : hostOf(address);
}

/** The host of an address without brackets and the dot at its end; IPv4 as such; one name for whatever reaches the machine itself. */
export function hostOf(address: string): string {
  const host = new URL(address).hostname.toLowerCase().replace(/^\[|\]$|\.$/g, "");
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(host);
  const plain = mapped === null ? host : ipv4(parseInt(mapped[1], 16), parseInt(mapped[2], 16));
  const isOwn = isLoopback(plain) || plain === "0.0.0.0" || plain === "::" || plain.endsWith(".localhost");
  return isOwn ? OWN : plain;
}

const ipv4 = (high: number, low: number): string => [high >> 8, high & 255, low >> 8, low & 255].join(".");

/**
 * The labels of a placement as the client's machine knows better: `own` are its names and addresses. Parties without a label that are
 * reached there, under whatever name, are on one machine, the client's where that has no label.
 */
export function machinesBeside(placed: PlacedParties, own: readonly string[]): Record<string, string> {
  const names = new Set([OWN, ...own.map((name) => name.toLowerCase())]);
  const here = Object.keys(placed.nodes).filter((party) => names.has(hostOf(placed.nodes[party])));
  const machines: Record<string, string> = { ...placed.machines };
  if (here.length === 0) return machines;
  const machine = machines[CLIENT] ?? machineOf(here.find((party) => party in machines) ?? here[0], placed)!;
  for (const party of [CLIENT, ...here]) machines[party] ??= machine;
  return machines;
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
