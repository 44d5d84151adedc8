/** What is known of how a candidate stands up to attacks: the lab's records, and one finding that is stated and has no record. */
import path from "node:path";
import { compName, partyKind } from "../../protocols/cascade/party-name.ts";
import { parseRunConfig, placementText } from "../../protocols/fusion/config/run-config.ts";
import { layersOnShares } from "../../protocols/fusion/session/layer-placement.ts";
import { GROUPS } from "../../protocols/smpc/lowering/evaluators.ts";
import { committedRecords } from "../attacks/report/committed-records.ts";
import { readRecords } from "../attacks/report/read-records.ts";
import { verdictMetric } from "../attacks/report/verdict-metric.ts";
import type { Metric } from "../attacks/run/attack-config.ts";
import type { CellRecord } from "../attacks/run/cell-record.ts";
import { cascadeLayers, type Candidate } from "./candidate.ts";

/**
 * From least to most that is known against a candidate. No clear row: all layers are under SMPC. Unknown: no record has an attack that got
 * anywhere in this setting, which doesn't make it safe. Leaks, broken: the worst verdict of a record on one party of it.
 */
export const STANDINGS = ["no clear row", "unknown", "leaks", "broken"] as const;

export interface Evidence {
  readonly standing: (typeof STANDINGS)[number];
  /** A sentence each, the worst first. */
  readonly says: readonly string[];
}

/** Holds of every candidate with a layer in Cascade, whatever records there are: experiments/FINDINGS.md, section 11. */
export const JOINT_DECODING =
  "one CompNode of a causal model reads every token before its last row from its own rows (experiments/FINDINGS.md, section 11; measured outside this repository)";

/** Of all layers under SMPC. */
const NO_CLEAR_ROW =
  "no node holds a clear row: SMPC parties see shares and words under uniform masks (docs/security.md)";
const TOLD_IDS = `broken without an attack: ${compName(0)} is told the ids of all positions`;
export const NO_RECORD = "no record of this setting: unknown, not safe";

/** A cell of the lab, with what it says. */
interface Told {
  readonly cell: CellRecord["cell"];
  readonly config: ReturnType<typeof parseRunConfig>;
  readonly verdict: CellRecord["verdict"];
  readonly prompts: number;
  readonly says: string;
}

export class RecordedEvidence {
  readonly #told: readonly Told[];
  readonly #layers: number;

  private constructor(told: readonly Told[], layers: number) {
    this.#told = told;
    this.#layers = layers;
  }

  /** The committed cells on a model, by its name, of `layers` layers. Void cells say nothing. Throws Error as `readRecords` does. */
  static async of(model: string, layers: number, files?: readonly string[]): Promise<RecordedEvidence> {
    const told: Told[] = [];
    for (const file of files ?? (await committedRecords())) {
      const { cells } = await readRecords([file]);
      if (cells.length === 0) continue;
      const metric = verdictMetric(cells);
      for (const record of cells)
        if (record.model === model && record.void === null)
          told.push({
            cell: record.cell,
            config: parseRunConfig(record.cell.setting, `${file}: `),
            verdict: record.verdict,
            prompts: record.prompts,
            says: sentence(record, metric, path.basename(file)),
          });
    }
    return new RecordedEvidence(told, layers);
  }

  /** What the records say of a candidate. */
  about(candidate: Candidate): Evidence {
    const { cascade } = candidate;
    const found = this.#told.filter((one) => this.#isOf(one, candidate)).toSorted(byWeight);
    const says = [...new Set(found.map((one) => one.says))];
    if (cascade === null) return { standing: "no clear row", says: [NO_CLEAR_ROW, ...says] };
    if (cascade.alpha === 1 && cascadeLayers(candidate, this.#layers)[0] === 0)
      return { standing: "broken", says: [TOLD_IDS, ...says, JOINT_DECODING] };
    const alone = new Set(found.filter(({ cell }) => cell.coalition.length === 1).map(({ verdict }) => verdict));
    if (alone.has("breaks")) return { standing: "broken", says: [...says, JOINT_DECODING] };
    if (alone.has("leaks")) return { standing: "leaks", says: [...says, JOINT_DECODING] };
    const known = says.length === 0 ? [NO_RECORD] : says.map((one) => `${one}: one attack's verdict, not safe`);
    return { standing: "unknown", says: [...known, JOINT_DECODING] };
  }

  /** Did the attacker of a cell have what a party of the candidate has, and no more? Candidates send float32 and have no other shardings. */
  #isOf({ cell, config }: Told, candidate: Candidate): boolean {
    const { cascade, smpc } = candidate;
    if (config.wire !== "float32" || config.r !== undefined || config.s !== undefined || config.beta !== undefined)
      return false;
    const { layers: recorded, evaluators } = layersOnShares(placementText(config), this.#layers);
    // Where the client evaluates, parties see other words; candidates have none such.
    if (evaluators.some((of) => GROUPS.some((group) => of[group] === "client"))) return false;
    // What SMPC parties see is all there is only where no layer is in Cascade.
    const ofSmpc = cell.coalition.every((party) => partyKind(party) === "smpc");
    if (cascade === null) return ofSmpc && smpc !== null && smpc.parties === config.parties;
    if (ofSmpc) return false;
    const { alpha, c, m, merge } = cascade;
    // A single CompNode has every row, however they are clustered, cut for AttnNodes and merged.
    const isOne = alpha === 1 && config.alpha === 1 && cell.coalition.join() === compName(0);
    const isSame = alpha === config.alpha && c === config.c && m === config.m && merge === config.merge;
    if (!isOne && !isSame) return false;
    const clear = cascadeLayers(candidate, this.#layers);
    // Where layer 0 was in the clear, the attacker knew its own ids.
    const knewIds = !recorded.includes(0);
    return clear.includes(cell.layer) && (!knewIds || clear[0] === 0);
  }
}

const ORDER: readonly CellRecord["verdict"][] = ["breaks", "leaks", "undecided", "no leak found", "void"];

/** The worst verdict first; of equal ones a single party's before a coalition's, then that of most prompts. */
function byWeight(a: Told, b: Told): number {
  const verdicts = ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict);
  return verdicts || a.cell.coalition.length - b.cell.coalition.length || b.prompts - a.prompts;
}

const UNITS: Readonly<Record<Metric, string>> = {
  hiddenAccuracy: "of the hidden tokens",
  hiddenTop5: "of the hidden tokens among five guesses",
  hiddenRougeL: "ROUGE-L of the hidden tokens",
  ownAccuracy: "of its own tokens",
  wholeAccuracy: "of all tokens",
  wholeRougeL: "ROUGE-L of all tokens",
  exact: "of the prompts exact",
};

const SAID: Readonly<Record<CellRecord["verdict"], string>> = {
  breaks: "broken by",
  leaks: "leaks by",
  "no leak found": "no leak found by",
  undecided: "undecided by",
  void: "void:",
};

/** "broken by vocab-match: 10 of 10 prompts exact (layer 1, comp.0; cells-vocab-match.ndjson)". */
function sentence(record: CellRecord, metric: Metric, file: string): string {
  const { attack, cell, prompts, verdict } = record;
  const mean = record.scores[metric]?.mean ?? 0;
  const much =
    metric === "exact"
      ? `${Math.round(mean * prompts)} of ${prompts} prompts exact`
      : `${mean.toFixed(2)} ${UNITS[metric]} in ${prompts} prompts`;
  return `${SAID[verdict]} ${attack}: ${much} (layer ${cell.layer}, ${cell.coalition.join(" and ")}; ${file})`;
}
