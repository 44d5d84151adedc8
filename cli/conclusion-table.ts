import { CLIENT, partyKind } from "../protocols/cascade/party-name.ts";
import type { RunRecord } from "../protocols/fusion/record/run-record.ts";
import { positionRanges } from "./position-ranges.ts";
import type { Layout } from "./terminal.ts";
import { textTable, wrap } from "./text-table.ts";

type Conclusion = RunRecord["conclusions"][number];
type Finding = Conclusion["findings"][number];

// proof: secrecy of open; proof: secrecy of a server; record: cells-share-words.ndjson: verdict == no leak found; record: cells-taken-words.ndjson: verdict == no leak found
const NOTHING = "nothing but lengths";

/** What every party can conclude, what all SMPC parties could together, and what would have hidden it: the last lines of a run. */
export function conclusionTable(record: RunRecord, { width, colours }: Layout): string[] {
  const { bold, dim, green, yellow } = colours;
  const alone = record.conclusions.filter(({ together }) => together !== "collusion");
  if (alone.length === 0) return wrap("no other party took part: the prompt stayed in this process", width).map(green);
  const sources = [...new Set(alone.flatMap(({ findings }) => findings.map(({ evidence }) => evidence)))].sort();
  const rows = [
    [CLIENT, "the prompt is its own", ""],
    ...grouped(alone).flatMap(({ name, findings, isOne }) =>
      findings.length === 0
        ? [[name, NOTHING, ""]]
        : findings.map((finding, at) => [
            at === 0 ? name : "",
            learned(finding, record, isOne),
            `${how(finding)} [${sources.indexOf(finding.evidence) + 1}]`,
          ]),
    ),
  ];
  return [
    // definition: the head of the table
    ...wrap(`what each party can conclude; all know the lengths: ${lengths(record)}`, width).map(bold),
    // definition: the head of the table
    ...textTable(["party", "can conclude", "how"], rows, width),
    ...sources.flatMap((source, at) => wrap(`  [${at + 1}] ${source}`, width)).map(dim),
    ...record.conclusions
      .filter(({ together }) => together === "collusion")
      .flatMap((all) => wrap(colluding(all), width)),
    ...wrap(verdict(record), width).map(record.isHidden ? green : yellow),
  ];
}

const lengths = ({ promptIds, publicPrefixLength: prefix, generatedIds }: RunRecord): string =>
  `${promptIds.length - prefix} secret tokens of prompt, ${generatedIds.length} generated${prefix === 0 ? "" : `; positions 0-${prefix - 1} are public`}`;

interface Grouped {
  readonly name: string;
  readonly findings: readonly Finding[];
  readonly isOne: boolean;
}

/** A line a party, but AttnNodes that are read in the same ways, of which the one that knows most stands for all. */
function grouped(alone: readonly Conclusion[]): Grouped[] {
  const lines = new Map<string, Conclusion[]>();
  for (const conclusion of alone) {
    const { parties, together, findings } = conclusion;
    const ways = findings.map((finding) => finding.how).join();
    const id = together === null && partyKind(parties[0]) === "attn" ? `attn ${ways}` : parties.join();
    lines.set(id, [...(lines.get(id) ?? []), conclusion]);
  }
  const known = ({ findings }: Conclusion): number => Math.max(0, ...findings.map(({ positions }) => positions.length));
  return [...lines.values()].map((members) => {
    const most = members.reduce((a, b) => (known(b) > known(a) ? b : a));
    const name = most.together === "machine" ? `${most.parties.join(", ")} on one machine` : most.parties[0];
    return {
      name: members.length === 1 ? name : `${name} and ${members.length - 1} more`,
      findings: most.findings,
      isOne: members.length === 1,
    };
  });
}

function learned({ positions, share }: Finding, { publicPrefixLength }: RunRecord, isOne: boolean): string {
  if (positions.length === 0) return "unknown";
  const last = positions[positions.length - 1];
  const example = isOne ? "" : "e.g. ";
  // test: tests/protocols/fusion/conclusions.test.ts "is every token up to a CompNode's last row"
  const noun = share === "every" ? "every token" : "most tokens";
  if (positions.length === 1)
    return `${example}${share === "every" ? "" : "most likely "}the token at position ${last}`;
  const isRun = positions[0] === publicPrefixLength && last - positions[0] === positions.length - 1;
  return `${example}${noun} ${isRun ? `up to position ${last}` : `of positions ${positionRanges(positions)}`}`;
}

const how = ({ how: way, effort }: Finding): string =>
  effort === "none" || effort === "not timed" ? way : `${way}, ${effort}`;

const colluding = ({ parties, findings: [{ how: way }] }: Conclusion): string =>
  // record: cells-share-words.ndjson: controls.positive.mean == 1; proof: secrecy: a party with the dealer
  `${parties.join(" and ")} together: every token, by ${way}`;

/** Whether it was hidden, and what would have hidden it. */
function verdict({ isHidden, hiding, smpc, payloadBytes, rounds }: RunRecord): string {
  const simulated = smpc?.machines === 1 ? "; on one machine it is a simulation" : "";
  // proof: secrecy of open; proof: secrecy of a server; record: cells-share-words.ndjson: verdict == no leak found; record: cells-taken-words.ndjson: verdict == no leak found
  if (isHidden || hiding === null) return `no single party learned anything but lengths${simulated}`;
  // proof: secrecy of open; proof: secrecy of a server; record: cells-share-words.ndjson: verdict == no leak found; record: cells-taken-words.ndjson: verdict == no leak found; test: tests/protocols/fusion/conclusions.test.ts "is what the hidden run costs"
  return `to hide it from every single party: --preset ${hiding.preset}, here ${count(hiding.payloadBytes)} bytes of payload in ${count(hiding.rounds)} rounds (this run: ${count(payloadBytes)} in ${count(rounds)})`;
}

const count = (value: number): string => value.toLocaleString("en-US");
