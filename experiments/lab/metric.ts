/** Shares in [0, 1] that a prompt's recovery is scored by. Hidden: tokens of positions that the coalition saw nothing of directly. */
export const METRICS = [
  "hiddenAccuracy",
  "hiddenTop5",
  "hiddenRougeL",
  "ownAccuracy",
  "wholeAccuracy",
  "wholeRougeL",
  "exact",
] as const;
export type Metric = (typeof METRICS)[number];
