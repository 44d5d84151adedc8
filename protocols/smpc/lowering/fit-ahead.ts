import { setImmediate } from "node:timers/promises";
import { TimeLeft } from "../../time-left.ts";
import { BY_PARTIES, isDelegated } from "./evaluators.ts";
import { lowerLayers, type LayerRun } from "./lower-layers.ts";

/**
 * Plans layers one by one so that their series are fitted before they are planned together, which nothing interrupts: `onStep` is told of
 * each, and the process answers its peers in between. A single layer is planned at once, and a delegated one has no series. Throws
 * RingBudgetError as `lowerLayers` does.
 */
export async function fitAhead(run: LayerRun, onStep: (text: string) => void): Promise<void> {
  if (run.to - run.from < 2) return;
  const layers = Array.from({ length: run.to - run.from }, (_, at) => run.from + at).filter(
    (layer) => !isDelegated(run.evaluators?.(layer) ?? BY_PARTIES),
  );
  const clock = new TimeLeft(layers.length);
  for (const layer of layers) {
    onStep(`planning layer ${layer} of ${run.spec.layers}${clock.text}`);
    await setImmediate();
    lowerLayers({ ...run, from: layer, to: layer + 1, head: run.head && layer + 1 === run.to });
    clock.done();
  }
  onStep(`planning ${run.to - run.from} layers together`);
}
