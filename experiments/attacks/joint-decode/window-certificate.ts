/** When a window's guess is proven: its rows of every layer that the party saw are the observed ones but for rounding. */
import type { StageEngine } from "../../../layers/stage-engine.ts";
import { orderByLogits } from "../matching/proposals.ts";
import { PrefixForward } from "../matching/prefix-forward.ts";
import { separatingDistance } from "../../lab/statistics/separating-distance.ts";
import { relativeError } from "./decode-window.ts";
import type { OwnRows } from "./own-rows.ts";
import { WindowForward } from "./window-forward.ts";

/** Relative errors of right guesses and of wrong ones, and what lies between. */
export interface Threshold {
  readonly right: number;
  readonly wrong: number;
  readonly epsilon: number;
}

export interface WindowThresholds {
  /** By the rows that the search looks at. */
  readonly search: Threshold;
  /** By the rows of all layers that are seen. */
  readonly proof: Threshold;
}

/** Tokens that one is exchanged for, the model's own best; and windows of a prompt that are tried. */
const [WRONG, WINDOWS] = [6, 6];
/** Rounding of a float32 row. */
const LEAST_RIGHT = 1e-6;

/**
 * What right windows are off by on prompts that the attacker knows, and the least of wrong ones: the token before an own row exchanged for another, and
 * for its neighbour. `searchedLayers`: how many layers the search looks at. Throws Error where no such prompt has own rows behind two other tokens.
 */
export async function windowThresholds(
  engine: StageEngine,
  searchedLayers: number,
  prompts: readonly { readonly ids: readonly number[]; readonly own: OwnRows }[],
): Promise<WindowThresholds> {
  const errors = { search: { right: LEAST_RIGHT, wrong: Infinity }, proof: { right: LEAST_RIGHT, wrong: Infinity } };
  for (const { ids, own } of prompts) {
    const positions = own.positions.filter((position) => position >= 2);
    const every = Math.ceil(positions.length / WINDOWS);
    for (const position of positions.filter((_, at) => at % every === 0)) {
      const start = Math.max(0, position - 3);
      const truth = ids.slice(start, position + 1);
      const place = truth.length - 2;
      const forward = new PrefixForward(engine);
      await forward.extend(ids.slice(0, start + place));
      const others = forward.length === 0 ? [] : [...orderByLogits(forward.nextLogits()).subarray(0, WRONG)];
      const guesses = [
        truth,
        ...others.filter((token) => token !== truth[place]).map((token) => truth.with(place, token)),
        ...(truth[place] === truth[place - 1]
          ? []
          : [truth.with(place, truth[place - 1]).with(place - 1, truth[place])]),
      ];
      for (const [kind, layers] of [
        ["search", own.layers.slice(0, searchedLayers)],
        ["proof", own.layers],
      ] as const) {
        const run = new WindowForward(engine, layers, own.kind);
        await run.extend(ids.slice(0, start));
        run.watch([truth.length - 1]);
        const observed = own.at(layers, [position]);
        const rows = await run.rows(guesses);
        guesses.forEach((_, at) => {
          const guessed = rows.subarray(at * run.width, (at + 1) * run.width);
          const error = relativeError(guessed, observed, run.rowWidth);
          const into = errors[kind];
          if (at === 0) into.right = Math.max(into.right, error);
          else into.wrong = Math.min(into.wrong, error);
        });
      }
    }
  }
  if (!Number.isFinite(errors.proof.wrong))
    throw new Error("calibration: expected prompts with own rows behind two other tokens in their views, got none");
  const between = ({ right, wrong }: { right: number; wrong: number }): Threshold => ({
    right,
    wrong,
    epsilon: separatingDistance(right, wrong),
  });
  return { search: between(errors.search), proof: between(errors.proof) };
}
