/** The misfit below which a token fits partial results: calibrated on prompts that the attacker knows. */
import type { Preparation, PublicKnowledge } from "../../lab/attack.ts";
import { orderByLogits } from "../matching/proposals.ts";
import { separatingDistance } from "../../lab/statistics/separating-distance.ts";
import { Unrolling } from "./unrolling.ts";

export interface MisfitThreshold {
  /** What right tokens leave, at most in nine of ten. */
  readonly usual: number;
  /** Between right tokens and wrong ones (separatingDistance). */
  readonly epsilon: number;
}

/** Wrong candidates tried at a position: the model's own best. */
const WRONG = 32;
const USUAL = 0.9;
/** Rounding of a float32: right tokens may happen to leave nothing at all. */
const LEAST = 1e-8;

/** Misfits at the positions of other nodes, as `parties` see them of the calibration prompts; null: their sums say nothing of any. */
export async function misfitThreshold(
  { engine, layer, calibration }: Pick<Preparation, "engine" | "layer" | "calibration">,
  opening: ArrayLike<number>,
  parties: readonly string[],
  knowledge: PublicKnowledge,
): Promise<MisfitThreshold | null> {
  const rights: number[] = [];
  let wrong = Infinity;
  for (const { ids, view: all } of calibration) {
    const view = all.filter(({ party }) => parties.includes(party));
    const description = { ...knowledge.description, promptLength: ids.length };
    const unrolling = new Unrolling(engine, layer, view, { ...knowledge, description });
    const own = view.rows("row", layer);
    for (const [position, id] of ids.entries()) {
      const evidence = own.has(position) ? null : unrolling.evidence();
      if (evidence !== null && evidence.freedom > 0) {
        const order = orderByLogits(position === 0 ? opening : unrolling.forward.nextLogits());
        const others = [...order.subarray(0, WRONG)].filter((other) => other !== id);
        const [right, ...misfits] = evidence.misfits(await unrolling.keysOf([id, ...others]));
        rights.push(right);
        wrong = Math.min(wrong, ...misfits);
      }
      await unrolling.extend(id);
    }
  }
  if (rights.length === 0) return null;
  rights.sort((a, b) => a - b);
  const largest = Math.max(LEAST, rights[rights.length - 1]);
  return {
    usual: Math.max(LEAST, rights[Math.floor(USUAL * rights.length)]),
    epsilon: separatingDistance(largest, wrong),
  };
}
