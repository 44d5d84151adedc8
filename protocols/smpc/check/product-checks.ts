/**
 * The checks of a session's delegated products: which answers are of the same rows, and a check for each such group.
 *
 * Functionality: made in the background from the public weights, a group at a time, so that no more than a group's matrices are in memory.
 * Parties: the client alone. Leaks: nothing until a server is caught (answer-check.ts). Assumes: as answer-check.ts.
 * Cost: none on the wire; a walk over the weights when the first session opens, which is kept (kept-checks.ts). Error bound: answer-check.ts. Reference: answer-check.ts.
 * Test: tests/protocols/fusion/caught-servers.test.ts
 */
import { setImmediate } from "node:timers/promises";
import type { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { StreamBook } from "../../../shares/stream-book.ts";
import { IntegerRows } from "../factors/integer-rows.ts";
import type { WeightedModel } from "../factors/layer-weights.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import type { ValueId } from "../plan/value.ts";
import { AnswerCheck } from "./answer-check.ts";
import { KeptChecks } from "./kept-checks.ts";
import { SecretVectors } from "./secret-vectors.ts";

/** Products of the same rows that the client gets. */
export interface ProductGroup {
  /** The shares of the rows. */
  readonly taken: ValueId;
  readonly products: readonly InstructionOf<"linear">[];
  readonly gives: readonly InstructionOf<"give">[];
}

const groups = new WeakMap<Plan, readonly ProductGroup[]>();

/** The groups of delegated products in a plan, in its order; computed once a plan. */
export function productGroups(plan: Plan): readonly ProductGroup[] {
  const known = groups.get(plan);
  if (known !== undefined) return known;
  const products = new Map<ValueId, InstructionOf<"linear">>();
  for (const instruction of plan.instructions)
    if (instruction.gate === "linear") products.set(instruction.out, instruction);
  const byRows = new Map<
    string,
    { taken: ValueId; products: InstructionOf<"linear">[]; gives: InstructionOf<"give">[] }
  >();
  for (const give of plan.instructions) {
    if (give.gate !== "give" || give.columnsOf === null) continue;
    const product = products.get(give.x)!;
    const name = [product.x, give.bits, give.droppedBits, give.othersDroppedBits].join(" ");
    let group = byRows.get(name);
    if (group === undefined) byRows.set(name, (group = { taken: product.x, products: [], gives: [] }));
    group.products.push(product);
    group.gives.push(give);
  }
  const made = [...byRows.values()];
  groups.set(plan, made);
  return made;
}

export class ProductChecks {
  readonly #model: WeightedModel;
  readonly #product: Float64Product;
  readonly #kept: KeptChecks;
  readonly #secrets: SecretVectors;
  readonly #checks = new Map<string, Promise<AnswerCheck>>();
  #making: Promise<unknown> = Promise.resolve();

  private constructor(model: WeightedModel, product: Float64Product, kept: KeptChecks) {
    this.#model = model;
    this.#product = product;
    this.#kept = kept;
    this.#secrets = new SecretVectors(new StreamBook(kept.seed).batch("answer checks"));
  }

  /** Opens what is kept of a model's checks, or begins anew. Throws CacheError. */
  static async open(model: WeightedModel, product: Float64Product): Promise<ProductChecks> {
    return new ProductChecks(model, product, await KeptChecks.open(model));
  }

  /** Begins to make the checks of a plan's groups, in their order. */
  start(plan: Plan): void {
    for (const { products } of productGroups(plan)) this.of(products).catch(() => {}); // `of` tells
  }

  /** Forgets the secret vectors: a party was caught, and so has learned something about them. */
  async forget(): Promise<void> {
    await this.#kept.forget();
  }

  /** The check of a group's products. Rejects where their weights can't be read. */
  of(products: readonly InstructionOf<"linear">[]): Promise<AnswerCheck> {
    const name = JSON.stringify(products.map(({ matrix, matrixFracBits }) => [matrix, matrixFracBits]));
    let check = this.#checks.get(name);
    if (check === undefined) {
      check = this.#making.then(() => this.#opened(name, products));
      this.#making = check.catch(() => {});
      this.#checks.set(name, check);
    }
    return check;
  }

  async #opened(name: string, products: readonly InstructionOf<"linear">[]): Promise<AnswerCheck> {
    const shapes = products.map(({ matrix: { weight, transposed } }) => {
      const [a, b] = this.#model.parameters.get(weight)!.spec.shape;
      return transposed ? { inputs: b, outputs: a } : { inputs: a, outputs: b };
    });
    const [{ inputs }] = shapes;
    const columns = shapes.map(({ outputs }) => outputs);
    const kept = await this.#kept.read(name, (this.#secrets.vectors + 1) * inputs);
    if (kept !== null) return AnswerCheck.restore(inputs, columns, kept, this.#secrets, this.#product);
    const check = await this.#made(products);
    await this.#kept.write(name, check.sums);
    return check;
  }

  async #made(products: readonly InstructionOf<"linear">[]): Promise<AnswerCheck> {
    const parameters = new Map<string, { readonly data: Float32Array; readonly shape: readonly number[] }>();
    for (const { matrix } of products) {
      const { shape } = this.#model.parameters.get(matrix.weight)!.spec;
      parameters.set(matrix.weight, { data: await this.#model.load(matrix.weight), shape });
    }
    const source = (name: string) => parameters.get(name)!;
    const rows = products.map(
      ({ matrix, matrixFracBits }) => new IntegerRows(withoutBias(matrix), matrixFracBits, source),
    );
    await setImmediate();
    const check = AnswerCheck.make(rows, this.#secrets, this.#product);
    await setImmediate();
    return check;
  }
}

/** The client adds the bias itself. */
const withoutBias = (matrix: MatrixSource): MatrixSource => ({ ...matrix, bias: null });
