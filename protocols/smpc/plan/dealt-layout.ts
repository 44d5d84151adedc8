import type { DealtWords } from "./gate.ts";
import type { Plan } from "./instruction.ts";
import type { ValueId } from "./value.ts";
import { gateOf } from "./gate-of.ts";

/** Where the explicit words of one dealt array lie in a batch. */
export interface DealtPlace extends DealtWords {
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** All that is dealt for a plan: one place an array, byte-aligned, in the order of the instructions. */
export interface DealtLayout {
  /** By instruction index, then name. */
  readonly places: readonly ReadonlyMap<string, DealtPlace>[];
  readonly totalBytes: number;
}

const layouts = new WeakMap<Plan, DealtLayout>();

/** The layout of a plan's batch; computed once a plan. */
export function dealtLayout(plan: Plan): DealtLayout {
  let layout = layouts.get(plan);
  if (layout === undefined) {
    let totalBytes = 0;
    const places = plan.instructions.map((instruction) => {
      const byName = new Map<string, DealtPlace>();
      const info = (id: ValueId) => plan.values[id];
      for (const dealt of gateOf(instruction).dealt(instruction, info)) {
        const byteLength = Math.ceil((dealt.bits * dealt.count) / 8);
        byName.set(dealt.name, { ...dealt, byteOffset: totalBytes, byteLength });
        totalBytes += byteLength;
      }
      return byName;
    });
    layout = { places, totalBytes };
    layouts.set(plan, layout);
  }
  return layout;
}

/** Purpose of a stream of a batch: unique in it, so that no two words share randomness. */
export const streamName = (instruction: number, name: string): string => `${instruction}/${name}`;

/** Name of the stream of an opened wire's mask; no dealt array is called so. */
export const MASK = "mask";

/** Name of the stream of what a party expands of the client's numbers, from a seed of the client's. */
export const TAKEN = "taken";

/** Name of the stream, shared by two parties, of an output's share of zero. */
export const ZERO = "zero";
