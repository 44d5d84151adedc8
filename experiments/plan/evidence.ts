/** What is known of how a candidate stands up to attacks: the lab's records, and one finding that goes beyond their settings. */
import { compName, partyKind } from "../../protocols/cascade/party-name.ts";
import { placementText } from "../../protocols/fusion/config/run-config.ts";
import { layersOnShares } from "../../protocols/fusion/session/layer-placement.ts";
import { GROUPS } from "../../protocols/smpc/lowering/evaluators.ts";
import type { AttackFact } from "../report/attack-fact.ts";
import { attackFacts } from "../report/attack-facts.ts";
import { committedRecords } from "../report/committed-records.ts";
import { readRecords } from "../report/read-records.ts";
import { attackersOf, viewParts } from "../report/attacked-setting.ts";
import { byWeight, strongerThan } from "../report/worst-verdicts.ts";
import { attackStrengths } from "../attacks/registry.ts";
import type { Metric } from "../lab/metric.ts";
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
  // record: cells-joint-decode.ndjson: verdict == breaks, certifiedWrong == 0
  "one CompNode of a causal model reads every token before its last row from its own rows, and one AttnNode from its keys and values (joint-decode; experiments/FINDINGS.md, section 11)";

/** Of all layers under SMPC. */
const NO_CLEAR_ROW =
  "no node holds a clear row: SMPC parties see shares and words under uniform masks (docs/security.md)";
// test: tests/experiments/plan-evidence.test.ts "is what its setting's records say"
const TOLD_IDS = `broken without an attack: ${compName(0)} is told the ids of all positions`;
export const NO_RECORD = "no record of this setting: unknown, not safe";

export class RecordedEvidence {
  readonly #facts: readonly AttackFact[];
  readonly #layers: number;

  private constructor(facts: readonly AttackFact[], layers: number) {
    this.#facts = facts;
    this.#layers = layers;
  }

  /** What the committed records say of a model, by its name, of `layers` layers. Void ones say nothing. Throws Error as `readRecords` does. */
  static async of(model: string, layers: number, files?: readonly string[]): Promise<RecordedEvidence> {
    const facts = await attackFacts(await readRecords(files ?? (await committedRecords())));
    const told = facts.filter((fact) => fact.model === model && fact.verdict !== "void");
    return new RecordedEvidence(told, layers);
  }

  /** What the records say of a candidate. */
  about(candidate: Candidate): Evidence {
    const { cascade } = candidate;
    const found = this.#facts.filter((fact) => this.#isOf(fact, candidate)).toSorted(byWeight);
    const says = [...new Set(found.map(sentence))];
    if (cascade === null) return { standing: "no clear row", says: [NO_CLEAR_ROW, ...says] };
    if (cascade.alpha === 1 && cascadeLayers(candidate, this.#layers)[0] === 0)
      return { standing: "broken", says: [TOLD_IDS, ...says, JOINT_DECODING] };
    if (found.length === 0) return { standing: "unknown", says: [NO_RECORD, JOINT_DECODING] };
    const alone = found.filter(({ coalition }) => coalition.length === 1);
    const more = [...this.#stronger(alone, candidate), JOINT_DECODING];
    const worst = alone[0]?.verdict;
    if (worst === "breaks") return { standing: "broken", says: [...says, ...more] };
    if (worst === "leaks") return { standing: "leaks", says: [...says, ...more] };
    return { standing: "unknown", says: [...says.map((one) => `${one}: one attack's verdict, not safe`), ...more] };
  }

  /** That attacks which go further than those of the records haven't been run on a CompNode of this setting. */
  #stronger(alone: readonly AttackFact[], { smpc }: Candidate): string[] {
    const placement = placementText({ smpcLayers: smpc?.placement });
    const names = strongerThan(alone, viewParts(attackersOf([compName(0)]), placement), attackStrengths());
    return names.length === 0 ? [] : [`stronger attacks not run here: ${names.join(", ")}`];
  }

  /** Did the attacker of a record have what a party of the candidate has, and no more? Candidates send float32 and have no other shardings. */
  #isOf({ coalition, config, layer }: AttackFact, candidate: Candidate): boolean {
    const { cascade, smpc } = candidate;
    if (config.wire !== "float32" || config.r !== undefined || config.s !== undefined || config.beta !== undefined)
      return false;
    const { layers: recorded, evaluators } = layersOnShares(placementText(config), this.#layers);
    // Where the client evaluates, parties see other words; candidates have none such.
    if (evaluators.some((of) => GROUPS.some((group) => of[group] === "client"))) return false;
    // What SMPC parties see is all there is only where no layer is in Cascade.
    const ofSmpc = coalition.every((party) => partyKind(party) === "smpc");
    if (cascade === null) return ofSmpc && smpc !== null && smpc.parties === config.parties;
    if (ofSmpc) return false;
    const { alpha, c, m, merge } = cascade;
    // A single CompNode has every row, however they are clustered, cut for AttnNodes and merged.
    const isOne = alpha === 1 && config.alpha === 1 && coalition.join() === compName(0);
    const isSame = alpha === config.alpha && c === config.c && m === config.m && merge === config.merge;
    if (!isOne && !isSame) return false;
    const clear = cascadeLayers(candidate, this.#layers);
    // Where layer 0 was in the clear, the attacker knew its own ids.
    const knewIds = !recorded.includes(0);
    return clear.includes(layer) && (!knewIds || clear[0] === 0);
  }
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
function sentence({ attack, coalition, layer, metric, part, place, prompts, share, verdict }: AttackFact): string {
  const much =
    metric === "exact"
      ? `${Math.round(share.mean * prompts)} of ${prompts} prompts exact`
      : `${share.mean.toFixed(2)} ${UNITS[metric]} in ${prompts} prompts${part === null ? "" : `, ${part}`}`;
  return `${SAID[verdict]} ${attack}: ${much} (layer ${layer}, ${coalition.join(" and ")}; ${place.file})`;
}
