/** What the client would take of every token of the vocabulary: public rows that words of delegated layers are compared with. */
import { ring } from "../../../shares/ring.ts";
import type { Words } from "../../../shares/words.ts";
import { rowNorms } from "../../../protocols/smpc/evaluation/row-norms.ts";
import { evaluateOperation } from "../../../protocols/smpc/evaluation/evaluate-operation.ts";
import type { SmpcProgram } from "../../../protocols/fusion/session/smpc-program.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import { shareOf, type ShareInfo } from "../../../protocols/smpc/plan/value.ts";
import { productGroups } from "../../../protocols/smpc/check/product-checks.ts";
import type { LinearProbe } from "../probes/linear-probe.ts";
import { nearestProbe } from "../probes/nearest.ts";
import { VocabularyWalk } from "../probes/vocabulary-walk.ts";
import type { PublicKnowledge } from "../../lab/attack.ts";
import { attendedLayer } from "./held-rows.ts";

export class TakenDictionary {
  /** Rows of length 1 in front of the layer's attention, each token alone, [vocabulary, columns]: exact at layer 0, near after it. */
  readonly rows: Float64Array;
  readonly columns: number;
  /** Names the token of a row by its direction. */
  readonly byRow: LinearProbe;
  /** Names the token by the direction of the row's product with the layer's first matrix, as a server multiplies. */
  readonly byAnswer: LinearProbe;
  readonly #multiply: (words: Words, rows: number) => Promise<Float64Array>;

  private constructor(
    rows: Float64Array,
    columns: number,
    answers: Float64Array,
    multiply: (words: Words, rows: number) => Promise<Float64Array>,
  ) {
    const vocabulary = rows.length / columns;
    this.rows = rows;
    this.columns = columns;
    this.byRow = nearestProbe("cosine", rows, columns);
    this.byAnswer = nearestProbe("cosine", answers, answers.length / vocabulary);
    this.#multiply = multiply;
  }

  /** Throws Error where no delegated product is made of the rows in front of the layer's attention. */
  static async of(
    { engine }: Pick<PublicKnowledge, "engine">,
    program: SmpcProgram,
    layer: number,
  ): Promise<TakenDictionary> {
    const { vocabulary } = engine.spec;
    for (const segment of program.segments.keys()) {
      const plan = program.plan(segment, 0);
      const group = productGroups(plan).find((each) => attendedLayer(each) === layer);
      if (group === undefined) continue;
      const taken = plan.instructions.find(
        (each): each is InstructionOf<"take"> => each.gate === "take" && each.out === group.taken,
      )!;
      const made = plan.instructions.find((each) => "out" in each && each.out === taken.x);
      const walk = await VocabularyWalk.begin(engine, []);
      for (let below = 0; below < layer; below++) await walk.step(below);
      const given = Float64Array.from(walk.rows);
      const setting = { rows: vocabulary, model: program.clientFactors, kept: new Map<string, Float64Array>() };
      const isNormed = made?.gate === "evaluate" && made.operation.name === "norm";
      const rows = unitRows(isNormed ? evaluateOperation(made.operation, [given], setting) : given, vocabulary);
      const { fracBits } = shareOf(plan.values[group.taken]);
      const words: Words = new BigUint64Array(rows.length);
      ring.encode(words, rows, fracBits);
      const [product] = group.products;
      const multiply = (x: Words, count: number): Promise<Float64Array> =>
        answersTo(program, product, shareOf(plan.values[product.out]), x, count);
      return new TakenDictionary(rows, rows.length / vocabulary, await multiply(words, vocabulary), multiply);
    }
    throw new Error(`layer ${layer}: expected one whose products the client has made, got another; see placement`);
  }

  /** What a server with these words answers, before it drops bits, [rows, outputs of the matrix]. */
  answersOf(words: Words, rows: number): Promise<Float64Array> {
    return this.#multiply(words, rows);
  }
}

async function answersTo(
  { factors }: SmpcProgram,
  { matrix, matrixFracBits }: InstructionOf<"linear">,
  { columns, ringBits, fracBits }: ShareInfo,
  words: Words,
  rows: number,
): Promise<Float64Array> {
  const out: Words = new BigUint64Array(rows * columns);
  await factors.multiply(matrix, matrixFracBits, words, rows, ringBits, out);
  const numbers = new Float64Array(out.length);
  ring.decode(numbers, out, ringBits, fracBits);
  return numbers;
}

/** Rows divided by their length, in place. */
function unitRows(values: Float64Array, rows: number): Float64Array {
  const columns = values.length / rows;
  rowNorms(values, rows).forEach((norm, row) => {
    for (let at = row * columns; at < (row + 1) * columns; at++) values[at] /= norm;
  });
  return values;
}
