/** What a fact was measured on, in the words of a table: layers on shares, sharding, merge, wire; and who attacked. */
import { partyKind } from "../../protocols/cascade/party-name.ts";
import { placementText } from "../../protocols/fusion/config/run-config.ts";
import { layersOnShares } from "../../protocols/fusion/session/layer-placement.ts";
import type { ViewPart } from "../lab/attack.ts";
import type { AttackFact } from "./attack-fact.ts";

export interface AttackedSetting {
  readonly model: string;
  /** "none", "first 2", "all, delegated". */
  readonly onShares: string;
  /** Null where the attacker's view doesn't depend on it: of SMPC parties. */
  readonly alpha: number | null;
  readonly c: number | null;
  readonly merge: "plain" | "masked" | null;
  readonly wire: "float32" | "float16" | null;
  /** Parts of a cluster for the AttnNodes. */
  readonly m: number | null;
  /** Another sharding than clusters, by its rule; SMPC parties where they attack. */
  readonly more: string | null;
}

/** A party, or so many of each kind together. */
export interface Attackers {
  readonly comp: number;
  readonly attn: number;
  readonly smpc: number;
}

/** Model files as they are called for their content: SmolLM2's one is told by no name of its own (full-grid.json). */
const MODEL_NAMES: Readonly<Record<string, string>> = {
  "model.gguf": "SmolLM2-135M",
  "smollm2-135m-instruct": "SmolLM2-135M",
};

/** The setting of a fact, without what its attackers' views don't depend on. */
export function settingOf({ model, config, coalition }: AttackFact): AttackedSetting {
  const shared = { model: MODEL_NAMES[model] ?? model, onShares: onShares(config) };
  if (attackersOf(coalition).smpc === coalition.length)
    return { ...shared, alpha: null, c: null, merge: null, wire: null, m: null, more: `${config.parties} parties` };
  const { alpha, c, m, merge, wire, r, s, beta } = config;
  const rules = [
    r === undefined ? [] : [r.rule],
    s === undefined ? [] : [s.rule],
    beta === undefined ? [] : [`beta ${beta}`],
  ];
  const more = rules.flat().join(", ");
  if (r !== undefined) return { ...shared, alpha: null, c: null, merge, wire, m, more };
  return { ...shared, alpha, c, merge, wire, m, more: more === "" ? null : more };
}

function onShares(config: AttackFact["config"]): string {
  const text = placementText(config);
  if (text === "all=cascade") return "none";
  return text.replaceAll(":", " ").replaceAll("=smpc", "").replace(/=/g, ", ");
}

/** How many of each kind a coalition has. */
export function attackersOf(coalition: readonly string[]): Attackers {
  const kinds = coalition.map(partyKind);
  const of = (kind: string): number => kinds.filter((each) => each === kind).length;
  return { comp: of("comp"), attn: of("attn"), smpc: of("smpc") };
}

/** Does a coalition have whatever another one has, by symmetry of the parties of a kind? */
export const includes = (all: Attackers, part: Attackers): boolean =>
  all.comp >= part.comp && all.attn >= part.attn && all.smpc >= part.smpc;

/** "a CompNode", "2 CompNodes and an AttnNode". */
export function attackersText({ comp, attn, smpc }: Attackers, { onShares: where }: AttackedSetting): string {
  const party = where.includes("delegated") ? "server" : "SMPC party";
  const parts = [counted(comp, "a CompNode", "CompNodes"), counted(attn, "an AttnNode", "AttnNodes")];
  parts.push(
    counted(smpc, party === "server" ? "a server" : "an SMPC party", party === "server" ? "servers" : "SMPC parties"),
  );
  return parts.filter((part) => part !== "").join(" and ");
}

const counted = (count: number, one: string, many: string): string =>
  count === 0 ? "" : count === 1 ? one : `${count} ${many}`;

/** More than any model has. */
const MOST_LAYERS = 1000;

/** What views of such attackers hold in a session placed so. */
export function viewParts({ comp, attn, smpc }: Attackers, placement: string): Set<ViewPart> {
  const { layers } = layersOnShares(placement, MOST_LAYERS);
  const parts = new Set<ViewPart>();
  if (smpc > 0) parts.add(placement.includes("delegated") ? "taken" : "share");
  if (comp > 0) for (const part of ["row", "sum", "projection"] as const) parts.add(part);
  if (comp > 0 && !layers.includes(0)) parts.add("first sum");
  if (attn > 0) parts.add("projection");
  return parts;
}
