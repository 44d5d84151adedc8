/**
 * Linear: a shared matrix times a public one.
 *
 * Functionality: out [rows, outputs] = x [rows, inputs] M + bias mod 2^K, M and bias integers made once from the model's parameters.
 * Parties: every party multiplies its own share; party 0 adds the bias.
 * Leaks: nothing (local).
 * Assumes: ringBits of x >= ringBits of out; M is the same at all parties (compared by hash, see public-factors.ts).
 * Cost: `linear.cost`; no communication, nothing dealt. Error bound: 0 units against the clear reading.
 * Reference: additive sharing is linear; private inference with public weights. Proof: proofs/lemmas/linear.ts.
 * Test: tests/protocols/smpc/share-gates.test.ts
 */
import { widthOf } from "../plan/width-of.ts";
import { ring } from "../../../shares/ring.ts";
import { MAX_RING_BITS, type Words } from "../../../shares/words.ts";
import type { Gate, PublicFactors } from "../plan/gate.ts";
import type { ValueInfo, ValueId } from "../plan/value.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";

/** out [rows, outputs] = x [rows, inputs] M + bias; fracBits add up. */
export interface LinearInstruction {
  readonly gate: "linear";
  readonly x: ValueId;
  readonly out: ValueId;
  readonly matrix: MatrixSource;
  readonly matrixFracBits: number;
}

/** Multiplication by a matrix of the model. */
export const linear: Gate<LinearInstruction> = {
  name: "linear",
  does: "times a public matrix, plus a public bias",
  operands: { x: (need) => need },
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "rows * inputs * outputs" },
  quantities: ({ x, out }, info) => ({
    rows: info(x).rows,
    inputs: info(x).columns,
    outputs: info(out).columns,
  }),
  tables({ out, matrix, matrixFracBits }, info, tables) {
    tables.matrix(matrix, matrixFracBits);
    tables.bias(matrix, info(out).fracBits);
  },
  dealt: () => [],
  async party(instruction, walk) {
    const info = walk.info(instruction.out);
    // A matrix product may use fewer limbs in a smaller ring.
    const ringBits = info.kind === "share" ? info.ringBits : MAX_RING_BITS;
    const out = await product(instruction, walk.share(instruction.x), walk.factors, info, ringBits);
    if (walk.party === 0) addBias(instruction, walk.factors, info, out);
    walk.setShare(instruction.out, out);
  },
  dealer() {},
  async clear(instruction, walk) {
    const info = walk.info(instruction.out);
    // All 64 bits, so that a value that outgrows its ring shows.
    const out = await product(instruction, walk.clear(instruction.x), walk.factors, info, MAX_RING_BITS);
    addBias(instruction, walk.factors, info, out);
    walk.setClear(instruction.out, out);
  },
  widths({ x, out }, info) {
    const ringBits = widthOf(info(out));
    return { ringBits, spareBits: widthOf(info(x)) - ringBits };
  },
  errorUnits: () => 0,
};

async function product(
  { matrix, matrixFracBits }: LinearInstruction,
  x: Words,
  factors: PublicFactors,
  { rows, columns }: ValueInfo,
  ringBits: number,
): Promise<Words> {
  const out = new BigUint64Array(rows * columns);
  await factors.multiply(matrix, matrixFracBits, x, rows, ringBits, out);
  return out;
}

function addBias({ matrix }: LinearInstruction, factors: PublicFactors, { fracBits }: ValueInfo, out: Words): void {
  const bias = factors.bias(matrix, fracBits); // [outputs]
  if (bias !== null) ring.addColumns(out, out, bias);
}
