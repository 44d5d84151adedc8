/** Steps that are answered ahead of time together: a matrix that is read once serves all of them. */
export const AHEAD_STEPS = 8;

/** Steps [from, to) that are answered together with a step: the prompt alone, then AHEAD_STEPS at a time. */
export function stepsTogether(step: number, steps: number): readonly [from: number, to: number] {
  if (step === 0) return [0, 1];
  const from = step - ((step - 1) % AHEAD_STEPS);
  return [from, Math.min(steps, from + AHEAD_STEPS)];
}

/** How many of a session's `steps` are ordered once a step begins: those that are answered together with it, and the next ones. */
export function orderedSteps(step: number, steps: number): number {
  const [, end] = stepsTogether(step, steps);
  return end >= steps ? steps : stepsTogether(end, steps)[1];
}
