/**
 * The distance that right guesses lie below and wrong ones above: the geometric mean of the largest of a right one and the least of a
 * wrong one, because distances spread over orders of magnitude; where they overlap, what every wrong one is above.
 */
export function separatingDistance(right: number, wrong: number): number {
  return right < wrong ? Math.sqrt(right * wrong) : wrong;
}
