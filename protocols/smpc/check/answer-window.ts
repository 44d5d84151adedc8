/** Probability at most with which an honest row of answers is refused. */
export const FALSE_ALARM = 1e-12;

/**
 * How far from the middle the secret sums of an honest row's remainders lie, but for FALSE_ALARM: in units of the products, for `vectors`
 * secret sums of `outputs` words that each dropped `droppedBits`. The opening comment of answer-check.ts has the proof.
 */
export function answerWindow(outputs: number, vectors: number, droppedBits: number): number {
  if (droppedBits === 0) return 0;
  const half = 2 ** (droppedBits - 1);
  const likely = half * Math.sqrt((outputs * Math.log((2 * vectors) / FALSE_ALARM)) / 2);
  const largest = (outputs * half) / 2;
  return Math.min(likely, largest) + 0.5; // s may be odd
}
