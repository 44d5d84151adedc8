import { METRICS, type Metric } from "../lab/metric.ts";
import type { CellRecord } from "../attacks/run/cell-record.ts";

/** The metric that the leak is a difference of in every one of an experiment's cells: records name it by that alone. */
export function verdictMetric(cells: readonly CellRecord[]): Metric {
  const isIt = (metric: Metric): boolean =>
    cells.every(({ scores, prior, leak }) => {
      const [attack, control] = [scores[metric], prior[metric]];
      return attack !== undefined && control !== undefined && Math.abs(attack.mean - control.mean - leak.mean) < 1e-9;
    });
  return METRICS.find(isIt) ?? "wholeAccuracy";
}
