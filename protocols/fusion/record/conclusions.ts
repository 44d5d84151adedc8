/**
 * What each party of a session can conclude from what it saw: pure functions of the public description and the ledger. A finding is what
 * has been shown that such a view gives away; no finding: nothing but lengths.
 */
import type { ModelSpec } from "../../../layers/model-spec.ts";
import type { BlockProgram, ParameterSpec } from "../../../layers/program.ts";
import { CLIENT, DEALER, smpcName } from "../../cascade/party-name.ts";
import type { Schedule } from "../../cascade/schedule.ts";
import { isDelegated } from "../../smpc/lowering/evaluators.ts";
import { scheduleOf, type SessionDescription } from "../session/session-description.ts";
import { opensShares, type PartyExposure } from "./join-exposures.ts";
import { DIRECT, type Exposure, type ExposureKind } from "./ledger.ts";
import { KIND_MEANINGS } from "./meanings.ts";

/** What it takes to read a prompt so. Not timed: what is recovered was measured, not how long it takes; not measured: neither was. */
export const EFFORTS = ["none", "seconds", "minutes", "not timed", "not measured"] as const;

export interface Finding {
  /** Positions whose tokens it gives away, ascending, none of them public. */
  readonly positions: number[];
  /** Of these: all, or most. */
  readonly share: "every" | "most";
  readonly how: string;
  /** On a machine such as those of the evidence, for a prompt. */
  readonly effort: (typeof EFFORTS)[number];
  /** A page, and where in it. */
  readonly evidence: string;
}

export interface Conclusion {
  /** One party, or all that act together. */
  readonly parties: string[];
  /** Why several are named: they share this machine, or could collude; null: it is one party. */
  readonly together: "machine" | "collusion" | null;
  /** None: lengths alone, of the prompt and of what is generated. */
  readonly findings: Finding[];
}

/** What follows from the public description. */
export interface ConcludedSession {
  readonly description: SessionDescription;
  readonly model: ConcludedModel;
  /** Steps that were computed. */
  readonly steps: number;
}

export interface ConcludedModel {
  readonly spec: ModelSpec;
  readonly program: BlockProgram;
  readonly parameters: ReadonlyMap<string, { readonly spec: ParameterSpec }>;
}

const FINDINGS = "experiments/FINDINGS.md";
const SECURITY = "docs/security.md";

/**
 * For each party, for each machine with several of them (the client's apart, which has the prompt), and for the smallest coalitions that
 * open shares, what they can conclude. `machines`: parties that share one, with their views joined.
 */
export function conclusions(
  session: ConcludedSession,
  parties: readonly PartyExposure[],
  machines: readonly { readonly parties: readonly string[]; readonly exposure: Exposure }[] = [],
): Conclusion[] {
  const view = new SessionView(session);
  const shared = machines.filter((machine) => !machine.parties.includes(CLIENT));
  return [
    ...parties.map(({ party, exposure }): Conclusion => ({
      parties: [party],
      together: null,
      findings: view.findings([party], exposure),
    })),
    ...shared.map((machine): Conclusion => ({
      parties: [...machine.parties],
      together: "machine",
      findings: view.findings(machine.parties, machine.exposure),
    })),
    ...view.coalitions.map((coalition): Conclusion => ({
      parties: coalition,
      together: "collusion",
      findings: [view.opened()],
    })),
  ];
}

/** Did no single party, and nobody with a machine, learn more than lengths? */
export const isHidden = (concluded: readonly Conclusion[]): boolean =>
  concluded.every(({ together, findings }) => together === "collusion" || findings.length === 0);

class SessionView {
  readonly #schedule: Schedule;
  readonly #description: SessionDescription;
  readonly #model: ConcludedModel;
  readonly #steps: number;

  constructor({ description, model, steps }: ConcludedSession) {
    this.#schedule = scheduleOf(description, model.spec, model.program);
    this.#description = description;
    this.#model = model;
    this.#steps = steps;
  }

  /** Parties that open shares together, and none of them fewer. */
  get coalitions(): string[][] {
    const { parties, dealer } = this.#schedule;
    if (parties === 0) return [];
    const all = Array.from({ length: parties }, (_, party) => smpcName(party));
    return dealer === "dealer" && this.#isDealt ? [all, [DEALER, all[0]]] : [all];
  }

  /** Does anybody deal masks of opened words? Of delegated layers nothing is opened between the parties. */
  get #isDealt(): boolean {
    const { smpc } = this.#description;
    return (
      smpc !== null &&
      (smpc.evaluators.some((of) => !isDelegated(of)) || (smpc.head && smpc.headEvaluator === "parties"))
    );
  }

  /** Shares that are opened: rows of all positions. */
  opened(): Finding {
    const [, end] = this.#schedule.stepRange(this.#steps - 1);
    return {
      positions: this.#secret(range(0, end)),
      share: "every",
      how: "adding up their shares",
      effort: "none",
      evidence: `${SECURITY}, Coalitions with SMPC parties`,
    };
  }

  findings(parties: readonly string[], { kinds, positions }: Exposure): Finding[] {
    const seen = (kind: ExposureKind): readonly number[] => kinds[kind]?.positions ?? [];
    const found: Finding[] = [];
    const holding = parties.filter((party) => party !== DEALER || this.#isDealt);
    if (opensShares(holding, this.#schedule.parties)) found.push(this.opened());
    const told = this.#secret([...new Set([...seen("id"), ...seen("token")])]);
    if (told.length > 0)
      found.push({ positions: told, share: "every", how: "told their ids", effort: "none", evidence: SECURITY });
    if (seen("row").length > 0) found.push(this.#ofRows(kinds));
    else if (seen("q").length + seen("k").length > 0) found.push(...this.#ofProjections(kinds));
    if (kinds.unscheduled !== undefined)
      found.push({
        positions: [],
        share: "most",
        how: "messages that the schedule does not know",
        effort: "not measured",
        evidence: `${SECURITY}, The ledger`,
      });
    if (found.length > 0 || positions.length === 0) return found;
    const words = Object.keys(kinds).filter((kind) => DIRECT.has(kind as ExposureKind));
    return [
      {
        positions: this.#secret(positions),
        share: "most",
        how: `saw ${words.map((kind) => KIND_MEANINGS[kind as ExposureKind]).join(", ")}`,
        effort: "not measured",
        evidence: `${SECURITY}, The ledger`,
      },
    ];
  }

  /** Of who has rows between layers: a row is a function of every token that it attends to. */
  #ofRows(kinds: Exposure["kinds"]): Finding {
    const positions = this.#reach(kinds, ["row"]);
    const isSeconds =
      kinds.partial !== undefined && !this.#schedule.isMasked && this.#longestCluster() < this.#model.spec.headDim;
    const isFirst = this.#schedule.segments[0].kind === "cascade";
    return isSeconds
      ? {
          positions,
          share: "every",
          how: `${isFirst ? "additive decoding" : "rank matching"} of partial results`,
          effort: "seconds",
          evidence: `${FINDINGS}, section 4`,
        }
      : {
          positions,
          share: "every",
          how: "joint decoding of its rows",
          effort: "minutes",
          evidence: `${FINDINGS}, section 11`,
        };
  }

  /** Of who has q, k and v rows. */
  #ofProjections(kinds: Exposure["kinds"]): Finding[] {
    const own = [...new Set((["q", "k", "v"] as const).flatMap((kind) => kinds[kind]?.positions ?? []))];
    const probes: Finding = {
      positions: this.#secret(own),
      share: this.#lowest(kinds) === 0 ? "every" : "most",
      how: "probes of its q, k and v rows",
      effort: "not timed",
      evidence: `${FINDINGS}, section 3`,
    };
    const found = [probes];
    if (this.#hasKeysAndValues(kinds))
      found.push({
        positions: this.#reach(kinds, ["k"]),
        share: "every",
        // record: cells-joint-decode-attn.ndjson: verdict == breaks, certifiedWrong == 0
        how: "joint decoding of its key and value rows",
        effort: "minutes",
        evidence: `${FINDINGS}, section 11`,
      });
    const inverted = this.#inverted();
    const beyond = inverted.length === 0 ? [] : this.#reach(kinds, inverted);
    if (
      beyond.some((position) =>
        found.every(({ share, positions }) => share !== "every" || !positions.includes(position)),
      )
    )
      found.push({
        positions: beyond,
        share: "every",
        // test: tests/protocols/fusion/conclusions.test.ts "invert the projections that are as wide as a row"; finding: 11
        how: `inverting its ${inverted.join(" and ")} rows, then joint decoding`,
        effort: "not measured",
        evidence: `${SECURITY}, What no gap closes`,
      });
    return found;
  }

  /** Key and value rows of one layer after the first, of a causal model: such as were decoded jointly. */
  #hasKeysAndValues({ k, v }: Exposure["kinds"]): boolean {
    if (k === undefined || v === undefined || !this.#model.spec.causal) return false;
    return k.layers.some((layer) => layer > 0 && v.layers.includes(layer));
  }

  #lowest(kinds: Exposure["kinds"]): number {
    return Math.min(...(["q", "k", "v"] as const).flatMap((kind) => kinds[kind]?.layers ?? []));
  }

  /** The projections that determine the normed row by their shape: as many columns as it is wide. Normed ones lose a head's length. */
  #inverted(): ("q" | "k" | "v")[] {
    const { spec, parameters } = this.#model;
    const keys = spec.kvHeads * spec.headDim;
    if (!parameters.has("layers.0.qNorm.weight") && spec.heads * spec.headDim >= spec.width) return ["q"];
    if (keys >= spec.width) return ["v"];
    return !parameters.has("layers.0.kNorm.weight") && 2 * keys >= spec.width ? ["k", "v"] : [];
  }

  /** Secret positions that rows of these kinds are functions of: all before them, as far back as windows let their layers look. */
  #reach(kinds: Exposure["kinds"], of: readonly ("row" | "q" | "k" | "v")[]): number[] {
    const reached = new Set<number>();
    for (const kind of of) {
      const { layers, positions } = kinds[kind] ?? { layers: [], positions: [] };
      const back = this.#lookBack(Math.max(0, ...layers));
      for (const position of positions)
        for (const t of range(Math.max(0, position - back), position + 1)) reached.add(t);
    }
    return this.#secret([...reached]);
  }

  /** How many positions before its own a row in front of `layer` depends on. */
  #lookBack(layer: number): number {
    let back = 0;
    for (let below = 0; below < Math.min(layer, this.#schedule.layers); below++)
      back += (this.#schedule.attention(below).window ?? Infinity) - 1;
    return back;
  }

  /** Of the AttnNodes' shards: partial results of longer ones than a head is wide don't tell their keys apart by rank. */
  #longestCluster(): number {
    const { s, length } = this.#schedule;
    let [longest, run] = [0, 0];
    for (let t = 0; t < length; t++) {
      run = t > 0 && s.owner(t) === s.owner(t - 1) ? run + 1 : 1;
      longest = Math.max(longest, run);
    }
    return longest;
  }

  #secret(positions: readonly number[]): number[] {
    const { length } = this.#description.publicPrefix;
    return positions.filter((position) => position >= length).toSorted((a, b) => a - b);
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
