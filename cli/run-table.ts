import { partyKind } from "../protocols/cascade/party-name.ts";
import { INFERRED, type ExposureKind } from "../protocols/fusion/record/ledger.ts";
import { FRAMING_MEANING, inOrder, KIND_MEANINGS, PHASE_MEANINGS } from "../protocols/fusion/record/meanings.ts";
import type { RunRecord } from "../protocols/fusion/record/run-record.ts";
import type { Phase } from "../protocols/wire/messages.ts";
import { conclusionTable } from "./conclusion-table.ts";
import { positionRanges } from "./position-ranges.ts";
import type { Layout } from "./terminal.ts";
import { textTable, wrap } from "./text-table.ts";

/** What a run cost and who saw what, for a person. */
export function runTable(record: RunRecord, layout: Layout): string {
  const { width, colours } = layout;
  const { bold, dim } = colours;
  // Without parties there is nothing to count.
  if (record.phases.length === 0)
    return `${[...wrap(summary(record), width), ...conclusionTable(record, layout)].join("\n")}\n`;
  const shown = groups(record);
  const lines = [
    ...wrap(summary(record), width),
    "",
    ...textTable(
      ["phase", "payload bytes", "by the formula", "framing", "messages"],
      busyPhases(record).map((phase) => [
        phase.phase,
        count(phase.payloadBytes),
        count(phase.expectedPayloadBytes),
        count(phase.framingBytes),
        count(phase.messages),
      ]),
      width,
    ),
    ...wrap(
      `total ${count(record.payloadBytes)} bytes of payload (formula ${count(record.expectedPayloadBytes)}), framing ${percent(record.framingBytes / record.payloadBytes)}, ${record.rounds} rounds (formula ${record.expectedRounds})`,
      width,
    ),
    ...smpcLines(record).flatMap((line) => wrap(line, width)),
    "",
    ...wrap("who saw what (positions; gap and cluster of what a party saw directly)", width).map(bold),
    ...textTable(
      ["party", "as what", "positions", "smallest gap", "largest cluster"],
      shown.map(({ names, kinds, inferred, positions, minGap, maxCluster }) => [
        names,
        [kinds.join(" "), ...inferred].filter((part) => part !== "").join("; "),
        positions,
        minGap,
        maxCluster,
      ]),
      width,
    ),
    "",
    ...textTable(["word", "meaning"], legend(record, shown), width).map(dim),
    "",
    ...conclusionTable(record, layout),
  ];
  return `${lines.join("\n")}\n`;
}

const summary = ({ generatedIds, seconds, firstTokenSeconds, startupSeconds, cpuSeconds }: RunRecord): string =>
  `${generatedIds.length} tokens in ${seconds.toFixed(2)} s (first after ${firstTokenSeconds.toFixed(2)} s; start-up ${startupSeconds.toFixed(2)} s), ${cpuSeconds.toFixed(2)} s of CPU in all processes`;

/** Phases in which something was sent, or should have been. */
const busyPhases = ({ phases }: RunRecord): RunRecord["phases"] =>
  phases.filter(({ messages, expectedMessages }) => messages + expectedMessages > 0);

/** What the words in the two tables mean. */
function legend(record: RunRecord, shown: readonly Group[]): string[][] {
  const inferred = shown.flatMap((group) => group.inferred);
  const isSaid = (words: string): boolean => inferred.some((text) => text.startsWith(words));
  return [
    ["framing", FRAMING_MEANING],
    ...busyPhases(record).map(({ phase }) => [phase, PHASE_MEANINGS[phase as Phase]]),
    ...inOrder(new Set(shown.flatMap(({ kinds }) => kinds))).map((kind) => [kind, KIND_MEANINGS[kind as ExposureKind]]),
    ...(isSaid("sums over") ? [["sums over", `summed: ${KIND_MEANINGS.summed}`]] : []),
    ...(isSaid("V row of") ? [["V row of", `revealed: ${KIND_MEANINGS.revealed}`]] : []),
  ];
}

/** The layers under SMPC: what they cost, and which rows went wrong. */
function smpcLines({ smpc, phases }: RunRecord): string[] {
  if (smpc === null) return [];
  const { layers, parties, dealer, machines, onlineBytes, dealtBytes, rounds, failedRows, notChecked } = smpc;
  const kinds = [...new Set(notChecked.map((site) => site.split(".").at(-2)))].join(", ");
  const where = machines === 1 ? ", all on one machine: a simulation" : "";
  const bytesOf = (name: Phase): number => phases.find(({ phase }) => phase === name)?.payloadBytes ?? 0;
  const sent = [
    ...(rounds > 0 ? [`${count(onlineBytes)} bytes online in ${count(rounds)} rounds`] : []),
    `${count(dealtBytes)} bytes dealt`,
    ...(bytesOf("take") > 0 ? [`${count(bytesOf("take") + bytesOf("give"))} to the client and from it`] : []),
    ...(bytesOf("ahead") > 0 ? [`${count(bytesOf("ahead"))} answered ahead`] : []),
  ].join(", ");
  return [
    `on shares: layers ${positionRanges(layers)}, ${parties} SMPC parties${where}; ${dealer} deals; ${sent}; ${failedRows.length} failed rows${kinds === "" ? "" : ` (not checked: ${kinds})`}`,
  ];
}

interface Group {
  readonly names: string;
  /** As what positions were seen directly. */
  readonly kinds: readonly string[];
  /** What else could be computed from it, in words. */
  readonly inferred: readonly string[];
  readonly positions: string;
  readonly minGap: string;
  readonly maxCluster: string;
}

/** A line for each CompNode; AttnNodes with equal gap and cluster share a line, or 64 of them would hide the rest. */
function groups(record: RunRecord): Group[] {
  const lines = new Map<string, { names: string[]; parties: RunRecord["parties"][string][] }>();
  for (const [name, party] of Object.entries(record.parties)) {
    const id =
      partyKind(name) === "attn" ? `attn ${party.minGap} ${party.maxCluster} ${party.positions.length > 0}` : name;
    const line = lines.get(id) ?? { names: [], parties: [] };
    line.names.push(name);
    line.parties.push(party);
    lines.set(id, line);
  }
  return [...lines.values()].map(({ names, parties }) => {
    const most = parties.reduce((a, b) => (b.positions.length > a.positions.length ? b : a));
    const inferred = (kind: ExposureKind): number[] =>
      most.kinds[kind]?.positions.filter((t) => !most.positions.includes(t)) ?? [];
    const [summed, revealed] = [inferred("summed"), inferred("revealed")];
    return {
      names: names.length === 1 ? names[0] : `${names[0]} and ${names.length - 1} more`,
      kinds: inOrder(
        Object.keys(most.kinds).filter((kind) => kind !== "partial" && !INFERRED.has(kind as ExposureKind)),
      ),
      inferred: [
        ...(summed.length > 0 ? [`sums over ${positionRanges(summed)}`] : []),
        ...(revealed.length > 0 ? [`V row of ${positionRanges(revealed)} by a partial result`] : []),
      ],
      positions: (names.length > 1 ? "e.g. " : "") + positionRanges(most.positions),
      minGap: most.minGap === null ? "none" : String(most.minGap),
      maxCluster: String(most.maxCluster),
    };
  });
}

const count = (value: number): string => value.toLocaleString("en-US");
const percent = (ratio: number): string => `${(100 * ratio).toFixed(2)} %`;
