import type { ColumnSquares } from "../../../layers/column-squares.ts";
import type { ClientFactors } from "../plan/gate.ts";
import { CombinedMatrix, normsOf } from "./combined-matrix.ts";
import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** What a client needs of a model to evaluate gates, from its parameters: norms of columns are computed once. */
export class ModelClientFactors implements ClientFactors {
  readonly #parameter: ParameterSource;
  readonly #squares: ColumnSquares;
  readonly #norms = new Map<string, Float64Array>();

  /** `squares`: of the columns of matrices that `parameter` need not give. */
  constructor(parameter: ParameterSource, squares: ColumnSquares = new Map()) {
    this.#parameter = parameter;
    this.#squares = squares;
  }

  /** As declared by ClientFactors; throws what the source throws for an unknown parameter. */
  vector(name: string): Float32Array {
    return this.#parameter(name).data;
  }

  columnNorms(matrix: MatrixSource): Float64Array {
    let norms = this.#norms.get(matrix.weight);
    if (norms === undefined) {
      const squares = this.#squares.get(matrix.weight);
      norms =
        squares === undefined || matrix.transposed
          ? new CombinedMatrix(matrix, this.#parameter).norms()
          : normsOf(squares, this.#parameter(matrix.weight).shape[0]);
      this.#norms.set(matrix.weight, norms);
    }
    return norms;
  }
}
