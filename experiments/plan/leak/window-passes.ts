/** What joint decoding of one window takes, in passes: tokens run through the layers below, as the attack counts them. */

/** The attack's sizes (experiments/attacks/joint-decode): fills, contexts of a round, candidates of an own row, guesses that are run after a beam. */
export interface JointSizes {
  readonly vocabulary: number;
  readonly fills: number;
  readonly contexts: number;
  readonly ownCandidates: number;
  readonly beam: number;
}

/** The attack's own defaults. */
export const DEFAULT_SIZES: Omit<JointSizes, "vocabulary"> = { fills: 1000, contexts: 3, ownCandidates: 32, beam: 500 };

/**
 * Passes of the first round of a window of `hidden` unknown tokens and `own` rows behind them: a swap runs what follows it. Most windows
 * need no second one (FINDINGS, section 11).
 */
export function windowPasses(hidden: number, own: number, sizes: JointSizes): number {
  const length = hidden + own;
  let swaps = 0;
  for (let place = 0; place < length; place++)
    swaps += (place < hidden ? sizes.vocabulary : sizes.ownCandidates) * (length - place);
  return sizes.contexts * swaps + (sizes.fills + sizes.beam) * length;
}
