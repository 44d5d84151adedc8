import { sumMasked } from "../../../protocols/smpc/gates/open.ts";
import type { WireInfo } from "../../../protocols/smpc/plan/value.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";

/** The opened words of every `open` of a plan from one run's payloads, by instruction index. */
export function openedWires(plan: Plan, payloads: readonly Uint8Array[][]): Map<number, Words> {
  const opened = new Map<number, Words>();
  const rounds = [
    ...new Set(plan.instructions.flatMap(({ gate }, i) => (gate === "open" ? [plan.levels[i]] : []))),
  ].sort((a, b) => a - b);
  rounds.forEach((level, round) => {
    let at = 0;
    plan.instructions.forEach((instruction, index) => {
      if (instruction.gate !== "open" || plan.levels[index] !== level) return;
      const { rows, columns, bits } = plan.values[instruction.out] as WireInfo;
      const length = Math.ceil((rows * columns * bits) / 8);
      const parts = payloads[round].map((payload) => {
        const words: Words = new BigUint64Array(rows * columns);
        ring.unpack(words, payload.subarray(at, at + length), bits, 0);
        return words;
      });
      opened.set(index, sumMasked(parts, bits));
      at += length;
    });
  });
  return opened;
}
