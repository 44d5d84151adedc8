/** Where each layer of a model is computed, from the words of a run config. */
import { didYouMean } from "../config/did-you-mean.ts";
import { BY_CLIENT, BY_PARTIES, GROUPS, type Evaluators } from "../../smpc/lowering/evaluators.ts";

/** Of layers on shares, ascending, and who evaluates what in each. */
export interface LayersOnShares {
  readonly layers: readonly number[];
  readonly evaluators: readonly Evaluators[];
}

const GROUP = `(${GROUPS.join("|")})`;
const ON_SHARES = `(delegated|smpc(:${GROUP}(\\+${GROUP})*)?)`;
const HOW = `(cascade|${ON_SHARES})`;
const LAYERS = "(all|first:\\d+|last:\\d+|\\d+(-\\d+)?(,\\d+(-\\d+)?)*)";
const WAYS: readonly string[] = ["cascade", "delegated", "smpc"];
const PART = `\\s*${LAYERS}\\s*=\\s*${HOW}\\s*`;

/** No parties: the client computes the whole model. */
const PLAIN = "all=plain";

/** What a placement looks like: "first:1=smpc; last:2=delegated"; a layer that none names is in Cascade. */
export const PLACEMENT = new RegExp(`^(${PLAIN}|${PART}(;${PART})*)$`);

/** Does a placement do without parties? */
export const isPlain = (placement: string): boolean => placement === PLAIN;

/** What is wrong in the words of a placement: what was expected, the part that came instead, and what it may have meant; null: nothing. */
export function placementFault(text: string): { expected: string; got: string; near: string } | null {
  if (PLACEMENT.test(text)) return null;
  const fault = (expected: string, got: string, near = ""): { expected: string; got: string; near: string } => ({
    expected,
    got: JSON.stringify(got),
    near,
  });
  for (const part of text.split(";").map((each) => each.trim())) {
    const [which, how, ...more] = part.split("=").map((each) => each.trim());
    if (how === undefined || more.length > 0)
      return fault("LAYERS=HOW, parted by semicolons, such as first:1=smpc; last:2=delegated", part);
    if (!new RegExp(`^${LAYERS}$`).test(which))
      return fault(`all, first:K, last:K or a list such as 0,3-5 before =${how}`, which);
    if (how === "plain") return fault(`${PLAIN} alone`, text);
    const [way, groups] = how.split(":");
    if (!WAYS.includes(way))
      return fault(`cascade, delegated, smpc or smpc:GROUPS after ${which}=`, how, didYouMean(way, WAYS));
    const wrong = groups?.split("+").find((group) => !GROUPS.some((known) => known === group));
    if (wrong !== undefined || way !== "smpc")
      return fault(`smpc:GROUPS of ${GROUPS.join("+")} after ${which}=`, how, didYouMean(wrong ?? "", GROUPS));
  }
  return fault("LAYERS=HOW, parted by semicolons", text);
}

/** How a layer on shares is computed. */
export const PLACED_ON_SHARES = new RegExp(`^${ON_SHARES}$`);

/** Which layers run under SMPC by its short form. */
export const SMPC_LAYERS = /^(none|all|first:\d+|last:\d+|\d+(-\d+)?(,\d+(-\d+)?)*)$/;

/**
 * The layers on shares that a placement asks for; a later part wins. Throws Error naming a layer that the model doesn't have, or a
 * placement without parties.
 */
export function layersOnShares(placement: string, layers: number): LayersOnShares {
  if (isPlain(placement))
    throw new Error(`placement: expected parties to compute layers, got ${PLAIN}; weir run alone takes it`);
  const chosen = new Map<number, Evaluators>();
  for (const part of placement.split(";")) {
    const [which, how] = part.split("=").map((text) => text.trim());
    for (const layer of chosenLayers(which, layers))
      if (how === "cascade") chosen.delete(layer);
      else chosen.set(layer, evaluatorsOf(how));
  }
  const ascending = [...chosen].sort(([a], [b]) => a - b);
  return { layers: ascending.map(([layer]) => layer), evaluators: ascending.map(([, evaluators]) => evaluators) };
}

function evaluatorsOf(how: string): Evaluators {
  if (how === "delegated") return BY_CLIENT;
  const atClient = how.split(":")[1]?.split("+") ?? [];
  return {
    ...BY_PARTIES,
    ...Object.fromEntries(GROUPS.filter((group) => atClient.includes(group)).map((group) => [group, "client"])),
  };
}

/** "none", "all", "first:2", "last:1", "1-3" or "0,3" as ascending layers. Throws Error for a layer that the model doesn't have. */
export function chosenLayers(text: string, layers: number): number[] {
  const all = Array.from({ length: layers }, (_, layer) => layer);
  if (text === "none") return [];
  if (text === "all") return all;
  const [side, count] = text.split(":");
  if (count !== undefined) {
    if (Number(count) > layers)
      throw new Error(`placement: expected at most ${layers} layers (the model's), got ${text}`);
    return side === "first" ? all.slice(0, Number(count)) : all.slice(layers - Number(count));
  }
  const listed = new Set(
    text.split(",").flatMap((part) => {
      const [from, to = from] = part.split("-").map(Number);
      if (to >= layers || from > to)
        throw new Error(`placement: expected layers of 0 to ${layers - 1} (the model's), got ${part}`);
      return all.slice(from, to + 1);
    }),
  );
  return [...listed].sort((a, b) => a - b);
}
