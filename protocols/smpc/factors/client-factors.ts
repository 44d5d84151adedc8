import type { ClientFactors } from "../plan/gate.ts";
import { CombinedMatrix } from "./combined-matrix.ts";
import type { MatrixSource } from "./matrix-source.ts";
import type { ParameterSource } from "./parameter-source.ts";

/** What a client needs of a model to evaluate gates, from its parameters: norms of columns are computed once. */
export class ModelClientFactors implements ClientFactors {
  readonly #parameter: ParameterSource;
  readonly #norms = new Map<string, Float64Array>();

  constructor(parameter: ParameterSource) {
    this.#parameter = parameter;
  }

  /** As declared by ClientFactors; throws what the source throws for an unknown parameter. */
  vector(name: string): Float32Array {
    return this.#parameter(name).data;
  }

  columnNorms(matrix: MatrixSource): Float64Array {
    let norms = this.#norms.get(matrix.weight);
    if (norms === undefined) {
      norms = new CombinedMatrix(matrix, this.#parameter).norms();
      this.#norms.set(matrix.weight, norms);
    }
    return norms;
  }
}
