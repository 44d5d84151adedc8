/**
 * Linear gates: every party multiplies its words by public integers and adds them up, and party 0 adds a public one. What they get are
 * shares of the same of the values, mod 2^K. So work linear, columns, rotate, centre, combine, pivot and row-sum on shares, series and exp
 * on dealt words (with entries of a public table), and open, whose integers are 1. Two words stand for any number.
 *
 *   sum, merge  the shares add up mod 2^K, for any number of parties
 *   twos        an operand that is multiplied by 2^t need be right mod 2^(K-t) only (combine)
 */
import { centre } from "../../protocols/smpc/gates/centre.ts";
import { columns } from "../../protocols/smpc/gates/columns.ts";
import { combine } from "../../protocols/smpc/gates/combine.ts";
import { linear } from "../../protocols/smpc/gates/linear.ts";
import { pivot } from "../../protocols/smpc/gates/pivot.ts";
import { rotate } from "../../protocols/smpc/gates/rotate.ts";
import { rowSum } from "../../protocols/smpc/gates/row-sum.ts";
import { series } from "../../protocols/smpc/gates/series.ts";
import { ModelFactors } from "../../protocols/smpc/factors/public-factors.ts";
import { integerCosines } from "../../protocols/smpc/factors/turn-table.ts";
import type { AnyInstruction, Gate } from "../../protocols/smpc/plan/gate.ts";
import type { ValueInfo } from "../../protocols/smpc/plan/value.ts";
import type { AttentionLayout } from "../../protocols/smpc/plan/attention-layout.ts";
import type { InstructionOf } from "../../protocols/smpc/plan/instruction.ts";
import { splitWords } from "../../shares/sharing.ts";
import type { Words } from "../../shares/words.ts";
import { compareWords, edgeWords, spreadWords } from "../conformance.ts";
import { openShares, runGateCode, type GateSetting } from "../gate-walk.ts";
import type { Lemma, Query } from "../lemma.ts";
import { everyWidthQueries, type FormulaFaults, type SharedFormula } from "../shared-formula.ts";
import { spanOf } from "../sweep.ts";
import { add, constant, equal, multiply, word, type Term } from "../term.ts";

const [A, B, ADDEND] = ["a", "b", "addend"].map(word);

const FORMULA: SharedFormula = {
  share: (isFirst, at) => add(multiply(A, at("x")), multiply(B, at("y")), isFirst ? ADDEND : constant(0)),
  values: { x: word("x"), y: word("y") },
  truth: add(multiply(A, word("x")), multiply(B, word("y")), ADDEND),
};

/** x right mod N is right mod M times F, where F N = M. */
function twosQuery(): Query {
  const [F, N, x, above] = ["F", "N", "x", "above"].map(word);
  return {
    name: "twos",
    wordBits: 64,
    assume: [],
    claim: equal(
      multiply(F, A, add(x, multiply(N, above))),
      add(multiply(F, A, x), multiply(multiply(F, N), multiply(A, above))),
    ),
  };
}

const share = (rows: number, width: number, fracBits = 0): ValueInfo => ({
  kind: "share",
  rows,
  columns: width,
  fracBits,
  ringBits: 64,
});

/** A gate on shares [2, 4], or on four attention entries. */
interface LinearCase<I extends AnyInstruction> {
  readonly gate: Gate<I>;
  readonly instruction: I;
  readonly operands: number;
  readonly out: ValueInfo;
}

const [ROWS, COLUMNS] = [2, 4];
const PARAMETERS: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>> = {
  w: { shape: [COLUMNS, 3], data: Float32Array.from([3, -1, 0.5, 2, 2, -7, 1, 0, 4, 5, -0.25, 1]) },
  v: { shape: [COLUMNS], data: Float32Array.from([1, -2, 0.5, 3]) },
  bias: { shape: [3], data: Float32Array.from([1.5, -4, 9]) },
};
const LAYOUT: AttentionLayout = {
  heads: 1,
  kvHeads: 1,
  headDim: 1,
  queries: ROWS,
  past: COLUMNS - 1,
  causal: false,
  window: COLUMNS,
};
const MATRIX = {
  weight: "w",
  transposed: false,
  rowGain: null,
  factor: 1,
  bias: "bias",
  biasFactor: 1,
  rowBias: null,
  centred: false,
  columnShifts: null,
} as const;

const io = { x: 0, out: 2 } as const;
const linearCase = <I extends AnyInstruction>(
  gate: Gate<I>,
  instruction: NoInfer<I>,
  out: ValueInfo = share(ROWS, COLUMNS),
  operands = 1,
): LinearCase<I> => ({ gate, instruction, out, operands });

/** Compares a gate's shares with the integers that it multiplies unit vectors by. Throws Error where they differ. */
async function compareLinear<I extends AnyInstruction>(
  { gate, instruction, operands, out }: LinearCase<I>,
  values: readonly ValueInfo[],
): Promise<void> {
  const factors = new ModelFactors((name) => PARAMETERS[name]);
  const length = values[0].rows * values[0].columns;
  const setting = { parties: 2, values: [...values, out], random: edgeWords(gate.name), factors };
  const runOn = async (shares: GateSetting["shares"]): Promise<readonly Words[]> => {
    const { outputs } = await runGateCode(gate, instruction, { ...setting, shares });
    return outputs as readonly Words[];
  };
  const ids = Array.from({ length: operands }, (_, id) => id);
  const on = (words: (id: number, party: number) => Words): GateSetting["shares"] =>
    Object.fromEntries(ids.map((id) => [id, [words(id, 0), words(id, 1)]]));
  const zeros = (): Words => new BigUint64Array(length);
  const [addend, none] = await runOn(on(zeros));
  compareWords(`${gate.name}, zeros of party 1`, none, 64, () => ({ term: constant(0), values: {} }));
  // By operand and word: what a unit vector becomes.
  const units: Words[][] = [];
  for (const id of ids) {
    units.push([]);
    for (let j = 0; j < length; j++) {
      const unit = zeros();
      unit[j] = 1n;
      units[id].push((await runOn(on((each) => (each === id ? unit : zeros()))))[1]);
    }
  }
  const words = ids.map((id) => [0, 1].map((party) => spreadWords(length, 64, 2 * id + party)));
  const found = await runOn(on((id, party) => words[id][party]));
  found.forEach((share, party) =>
    compareWords(`${gate.name}, party ${party}`, share, 64, (i) => {
      const sum = ids.flatMap((id) => units[id].map((unit, j) => unit[i] * words[id][party][j]));
      return { term: constant(sum.reduce((all, each) => all + each, party === 0 ? addend[i] : 0n)), values: {} };
    }),
  );
}

async function conformLinear(): Promise<void> {
  const rows = [share(ROWS, COLUMNS), share(ROWS, COLUMNS)];
  const combined = {
    gate: "combine",
    out: 2,
    terms: [
      { x: 0, factor: 12 },
      { x: 1, factor: -5 },
    ],
  } as const;
  await compareLinear(linearCase(combine, combined, share(ROWS, COLUMNS), 2), rows);
  const scaled = { gate: "columns", ...io, scale: "v", factor: 2, scaleFracBits: 3, bias: "v" } as const;
  await compareLinear(linearCase(columns, scaled, share(ROWS, COLUMNS, 3)), rows);
  await compareLinear(linearCase(centre, { gate: "centre", ...io, multiplier: 1, constantBits: 2 }), rows);
  await compareLinear(linearCase(pivot, { gate: "pivot", ...io, key: "k", firstPosition: 0 }), rows);
  const turned = { headDim: 2, inverseFrequencies: [0.3], firstPosition: 5, factor: 1, tableFracBits: 12 };
  await compareLinear(linearCase(rotate, { gate: "rotate", ...io, ...turned }), rows);
  const product = { gate: "linear", ...io, matrix: MATRIX, matrixFracBits: 4 } as const;
  await compareLinear(linearCase(linear, product, share(ROWS, 3, 4)), rows);
  const entries = [share(ROWS * COLUMNS, 1), share(1, 1)];
  for (const order of [{}, { byQuery: true }] as const)
    await compareLinear(
      linearCase(rowSum, { gate: "row-sum", ...io, layout: LAYOUT, ...order }, share(ROWS, 1)),
      entries,
    );
}

/** Compares a series' shares with entries of the public table times dealt words. Throws Error where they differ. */
async function conformSeries(rings: readonly number[], coarser: number): Promise<void> {
  const [bits, fracBits, count, tableFracBits] = [10, 6, 32, 9];
  const fitted = { periodBits: bits - fracBits, constant: 0.75, harmonics: [1, 3], cos: [0.5, -0.25], sin: [0.125, 1] };
  const instruction: InstructionOf<"series"> = {
    gate: "series",
    x: 0,
    out: 1,
    series: { ...fitted, maxError: 0, from: 0, to: 1, name: "test" },
    tableFracBits,
    wordFracBits: 20,
    coarserBits: [0, coarser],
  };
  // Where a table is coarser, its product comes times so much and its words are so much shorter.
  const grades = [0, coarser].map((bitsLess) => ({
    table: integerCosines(bits, tableFracBits - bitsLess).make(),
    unit: 1n << BigInt(bitsLess),
    name: bitsLess === 0 ? "turns" : `turns ${bitsLess}`,
  }));
  const entry = (grade: number, turns: number): bigint => {
    const { table, unit } = grades[grade];
    return unit * BigInt(table[((turns % table.length) + table.length) % table.length]);
  };
  for (const ringBits of rings)
    for (const parties of [2, 3]) {
      const random = edgeWords(`series ${ringBits} ${parties}`);
      const wire = openShares(splitWords(spreadWords(count, bits, 1), bits, parties, random), bits, random);
      const values: ValueInfo[] = [
        { kind: "wire", rows: count, columns: 1, fracBits, bits },
        { kind: "share", rows: count, columns: 1, fracBits: tableFracBits + 20, ringBits },
      ];
      const { dealt, outputs } = await runGateCode(series, instruction, {
        parties,
        values,
        random,
        wires: { 0: wire },
      });
      const turns = grades.map(({ name }) => dealt.get(name)!);
      // Two words a harmonic: of both in one array, or of one in each.
      const word = (party: number, i: number, grade: number, which: number): bigint =>
        coarser === 0 ? turns[0][party][4 * i + 2 * grade + which] : turns[grade][party][2 * i + which];
      outputs.forEach((out, party) =>
        compareWords(`series, n = ${parties}, ${ringBits} bits, party ${party}`, out, ringBits, (i) => {
          const X = Number(wire.masked[i]);
          const sum = fitted.harmonics.flatMap((harmonic, j): Term[] => [
            constant(entry(j, harmonic * X) * word(party, i, j, 0)),
            constant(entry(j, harmonic * X - 2 ** bits / 4) * word(party, i, j, 1)),
          ]);
          const addend = party === 0 ? BigInt(fitted.constant * 2 ** (tableFracBits + 20)) : 0n;
          return { term: add(...sum, constant(addend)), values: {} };
        }),
      );
    }
}

/** Opened words are x + r. Throws Error where they aren't. */
function conformOpen(rings: readonly number[]): void {
  for (const bits of rings)
    for (const parties of [2, 3, 4]) {
      const random = edgeWords(`open ${bits} ${parties}`);
      const x = spreadWords(32, bits, 1);
      const { masked, mask } = openShares(splitWords(x, 64, parties, random), bits, random);
      compareWords(`open, n = ${parties}, ${bits} bits`, masked, 64, (i) => ({
        term: constant(BigInt.asUintN(bits, x[i] + mask[i])),
        values: {},
      }));
    }
}

/** The lemma; what must not hold: addends of every party, words that are a bit too short. */
export function linearLemmas(rings: readonly number[], faults: FormulaFaults = {}): Lemma[] {
  const addedByAll: SharedFormula = { ...FORMULA, share: (_, at) => FORMULA.share(true, at) };
  return [
    {
      name: "linear",
      statement:
        "public integers times the parties' words, plus a public one at party 0, add up to the same of the values mod 2^K",
      expected: "proved",
      gates: ["linear", "combine", "columns", "rotate", "centre", "pivot", "row-sum", "series", "exp", "open"],
      widths: `any n; K = ${spanOf(rings)}`,
      queries: [...everyWidthQueries("linear", FORMULA, faults), twosQuery()],
      async conform() {
        await conformLinear();
        for (const coarser of [0, 4]) await conformSeries(rings, coarser);
        conformOpen(rings);
      },
    },
    {
      name: "linear: every party adds",
      statement: "all parties may add what is public",
      expected: "refuted",
      gates: [],
      widths: "n = 2; K = 64",
      queries: everyWidthQueries("linear", addedByAll),
      conform: null,
    },
  ];
}
