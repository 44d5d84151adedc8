/** The negative control: a view whose every tensor is noise of the same size. What an attack recovers from it isn't in the view. */
import type { TensorData } from "../../layers/weights/safetensors-file.ts";
import { seededChance } from "./statistics/bootstrap.ts";
import { normal } from "./statistics/normal.ts";
import type { RecordedView } from "./views/recorded-view.ts";

/**
 * Rows and partial results become normal numbers of the tensor's own mean and deviation, bytes and integers of shares uniform ones; ids
 * stay, because the party was told them.
 */
export function noiseView(view: RecordedView, seed: number): RecordedView {
  const chance = seededChance(`noise ${seed}`);
  return view.map((tensor) => (tensor.kind === "ids" ? tensor.data : noiseLike(tensor.data, chance)));
}

function noiseLike(data: TensorData, chance: () => number): TensorData {
  if (data instanceof Float32Array || data instanceof Float64Array) {
    const finite = Array.from(data as Float32Array).filter(Number.isFinite);
    const mean = finite.reduce((a, b) => a + b, 0) / Math.max(1, finite.length);
    const deviation = Math.sqrt(finite.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, finite.length));
    return (data as Float32Array).map((x) => (Number.isFinite(x) ? mean + deviation * normal(chance) : x));
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return (data as BigUint64Array).map(() => BigInt(Math.floor(chance() * 2 ** 32)));
  return (data as Uint8Array).map(() => Math.floor(chance() * 2 ** 32));
}
