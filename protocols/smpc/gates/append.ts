/**
 * Append: the rows of a wire after those of the steps before: K and V of a sequence.
 *
 * Functionality: out = rows kept under `key`, then x; out is kept in their place. A step with no rows before (out has as many rows as x)
 *   starts anew.
 * Parties: every party on its own words. Leaks: nothing (local; no word is opened again).
 * Assumes: the steps of a sequence run in order, and open these rows at one width and one fracBits.
 * Cost: `append.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: key-value caches. Proof: proofs/lemmas/differences.ts. Test: tests/protocols/smpc/wire-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { ClearWords, MaskedWords, MaskWords, ShareWords, Words } from "../../../shares/words.ts";
import type { Gate } from "../plan/gate.ts";
import { type ValueId, wireOf, type InfoOf } from "../plan/value.ts";

/** out (wire) = wires of the steps before under `key`, then x. */
export interface AppendInstruction {
  readonly gate: "append";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly key: string;
}

/** Rows of earlier steps, then new ones. */
export const append: Gate<AppendInstruction> = {
  name: "append",
  does: "rows of a wire after those of the steps before: keys and values of a sequence",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "0" },
  quantities: () => ({}),
  tables() {},
  dealt: () => [],
  party(instruction, walk) {
    const { past, bits } = sizes(instruction, walk.info);
    const kept = past === 0 ? undefined : walk.kept.get(instruction.key);
    if (kept instanceof BigUint64Array) throw wrong(instruction.key, past, "a share");
    const x = walk.wire(instruction.x);
    const wire = {
      masked: joined(instruction.key, past, bits, kept?.masked, x.masked) as MaskedWords,
      mask: joined(instruction.key, past, bits, kept?.mask, x.mask) as ShareWords,
    };
    walk.kept.set(instruction.key, wire);
    walk.setWire(instruction.out, wire);
  },
  dealer(instruction, walk) {
    const { past, bits } = sizes(instruction, walk.info);
    const out = joined(instruction.key, past, bits, walk.kept.get(instruction.key), walk.mask(instruction.x));
    walk.kept.set(instruction.key, out as MaskWords);
    walk.setMask(instruction.out, out);
  },
  clear(instruction, walk) {
    const { past } = sizes(instruction, walk.info);
    const out = joined(instruction.key, past, 64, walk.kept.get(instruction.key), walk.clear(instruction.x));
    walk.kept.set(instruction.key, out as ClearWords);
    walk.setClear(instruction.out, out);
  },
  widths({ x, out }, info) {
    const bits = widthOf(info(out));
    return { bits, spareBits: widthOf(info(x)) - bits };
  },
  errorUnits: () => 0,
};

/** `past`: words of the steps before. */
function sizes({ x, out }: AppendInstruction, info: InfoOf) {
  const [added, all] = [wireOf(info(x), "append"), wireOf(info(out), "append")];
  return { past: (all.rows - added.rows) * all.columns, bits: all.bits };
}

function joined(key: string, past: number, bits: number, kept: Words | undefined, x: Words): Words {
  if (past > 0 && kept?.length !== past) throw wrong(key, past, String(kept?.length ?? "none"));
  const out: Words = new BigUint64Array(past + x.length);
  if (past > 0) out.set(kept!);
  out.set(x, past);
  if (bits < 64) ring.reduce(out, out, bits);
  return out;
}

const wrong = (key: string, expected: number, got: string): Error =>
  new Error(`append ${key}: expected ${expected} words that the steps before kept, got ${got}`);
