/**
 * Columns: a public factor and a public addend for each column.
 *
 * Functionality: out = x * scale + bias by column, mod 2^K; scale is the integer parameter * factor at scaleFracBits (factor alone
 *   where `scale` is null); bias is the parameter at the fracBits of out.
 * Parties: every party multiplies its own share; party 0 adds the bias.
 * Leaks: nothing (local).
 * Assumes: ringBits of x >= ringBits of out; fracBits of out = fracBits of x + scaleFracBits (Error otherwise).
 * Cost: `columns.cost`; no communication, nothing dealt. Error bound: 0 units.
 * Reference: additive sharing is linear. Proof: proofs/lemmas/linear.ts. Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import type { Gate, PublicFactors } from "../plan/gate.ts";
import type { ValueId, ValueInfo } from "../plan/value.ts";

/** out = x * scale + bias by column; parameters [columns], or [columns / n] repeated. */
export interface ColumnsInstruction {
  readonly gate: "columns";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly scale: string | null;
  readonly factor: number;
  readonly scaleFracBits: number;
  readonly bias: string | null;
}

/** Multiplication and addition of parameters by column. */
export const columns: Gate<ColumnsInstruction> = {
  name: "columns",
  does: "a public factor and a public addend for each column",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "count" },
  quantities: ({ out }, info) => ({ count: info(out).rows * info(out).columns }),
  tables({ out, scale, factor, scaleFracBits, bias }, info, tables) {
    const { columns: length, fracBits } = info(out);
    if (scale !== null) tables.vector(scale, factor, scaleFracBits, length);
    if (bias !== null) tables.vector(bias, 1, fracBits, length);
  },
  dealt: () => [],
  party(instruction, walk) {
    const out = scaled(instruction, walk.share(instruction.x), walk);
    if (walk.party === 0) addBias(instruction, out, walk);
    walk.setShare(instruction.out, out);
  },
  dealer() {},
  clear(instruction, walk) {
    const out = scaled(instruction, walk.clear(instruction.x), walk);
    addBias(instruction, out, walk);
    walk.setClear(instruction.out, out);
  },
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

interface FactorWalk {
  info(id: ValueId): ValueInfo;
  readonly factors: PublicFactors;
}

function scaled(instruction: ColumnsInstruction, x: Words, walk: FactorWalk): Words {
  const { scale, factor, scaleFracBits } = instruction;
  const [from, to] = [walk.info(instruction.x), walk.info(instruction.out)];
  if (to.fracBits !== from.fracBits + scaleFracBits)
    throw new Error(
      `columns: expected ${from.fracBits + scaleFracBits} fractional bits of its output, got ${to.fracBits}`,
    );
  const out = new BigUint64Array(x.length);
  if (scale === null) {
    const constant = new BigUint64Array(1);
    ring.encode(constant, [factor], scaleFracBits);
    ring.scale(out, x, constant[0], 0n);
  } else {
    ring.multiplyColumns(out, x, walk.factors.vector(scale, factor, scaleFracBits, to.columns));
  }
  return out;
}

function addBias({ bias, out: id }: ColumnsInstruction, out: Words, walk: FactorWalk): void {
  if (bias === null) return;
  const { fracBits, columns: length } = walk.info(id);
  ring.addColumns(out, out, walk.factors.vector(bias, 1, fracBits, length));
}
