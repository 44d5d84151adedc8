/** What roles that share a machine see together: who has the machine has all their views. */
import { DEALER, partyKind, smpcName } from "../../cascade/party-name.ts";
import { DIRECT, gapAndCluster, type Exposure, type ExposureKind } from "./ledger.ts";

/** What one party saw. */
export interface PartyExposure {
  readonly party: string;
  readonly exposure: Exposure;
}

/**
 * The union of some parties' views. Where they hold the shares of all `smpcParties`, or those of one beside what is dealt, every shared
 * row is a row in the clear. (The client needs no joining: the prompt is its own.)
 */
export function joinExposures(parties: readonly PartyExposure[], smpcParties: number): Exposure {
  const kinds = new Map<ExposureKind, { layers: Set<number>; positions: Set<number> }>();
  const add = (kind: ExposureKind, layers: readonly number[], positions: readonly number[]): void => {
    const seen = kinds.get(kind) ?? { layers: new Set(), positions: new Set() };
    for (const layer of layers) seen.layers.add(layer);
    for (const position of positions) seen.positions.add(position);
    kinds.set(kind, seen);
  };
  const opens = opensShares(
    parties.map(({ party }) => party),
    smpcParties,
  );
  for (const { party, exposure } of parties)
    for (const [kind, { layers, positions }] of Object.entries(exposure.kinds)) {
      add(kind as ExposureKind, layers, positions);
      if (opens && kind === "share" && partyKind(party) === "smpc") add("row", layers, positions);
    }
  const union = (wanted: (kind: ExposureKind) => boolean): number[] =>
    ascending([...kinds].flatMap(([kind, { positions }]) => (wanted(kind) ? [...positions] : [])));
  const direct = union((kind) => DIRECT.has(kind));
  const withRevealed = gapAndCluster(union((kind) => DIRECT.has(kind) || kind === "revealed"));
  return {
    positions: direct,
    kinds: Object.fromEntries(
      [...kinds].map(([kind, { layers, positions }]) => [
        kind,
        { layers: ascending(layers), positions: ascending(positions) },
      ]),
    ),
    ...gapAndCluster(direct),
    minGapWithRevealed: withRevealed.minGap,
    maxClusterWithRevealed: withRevealed.maxCluster,
  };
}

/** Can these roles together open additive shares? */
export function opensShares(roles: readonly string[], smpcParties: number): boolean {
  const held = Array.from({ length: smpcParties }, (_, party) => smpcName(party)).filter((name) =>
    roles.includes(name),
  );
  if (held.length === 0) return false;
  return held.length === smpcParties || roles.includes(DEALER);
}

const ascending = (numbers: Iterable<number>): number[] => [...new Set(numbers)].sort((a, b) => a - b);

/** The joined views of machines that have several parties, by machine. `machines`: party (also the client) to its machine. */
export function machineExposures(
  reports: readonly PartyExposure[],
  machines: Readonly<Record<string, string>>,
  smpcParties: number,
): Record<string, Exposure & { readonly parties: readonly string[] }> {
  const byMachine = new Map<string, string[]>();
  for (const [party, machine] of Object.entries(machines))
    byMachine.set(machine, [...(byMachine.get(machine) ?? []), party]);
  return Object.fromEntries(
    [...byMachine]
      .filter(([, parties]) => parties.length > 1)
      .map(([machine, parties]) => {
        const seen = reports.filter(({ party }) => parties.includes(party));
        return [machine, { parties, ...joinExposures(seen, smpcParties) }];
      }),
  );
}
