import { InferenceSession, Tensor as OrtTensor } from "./runtime.ts";
import type { Tensor } from "../tensor.ts";

export interface SessionOptions {
  /** Threads of one computation. */
  readonly threads: number;
  /** Folder of the weight file; null for a graph without weights. */
  readonly weightFolder: string | null;
}

/** Shape of a result, known before it runs: it is written in place, without a copy. */
export type ResultShapes = Readonly<Record<string, readonly number[]>>;

/** One graph in ONNX Runtime, kept open. */
export class GraphSession {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * Opens a graph from memory. Its weights are named by file and range, so that ONNX Runtime maps them: pages are read when they are
   * used and shared by all processes. Packing them for the processor would make a private copy of each, so it is off; the graphs are
   * made of operators and orders that are fast without it. They are also what should run, so no optimiser looks at them.
   */
  static async open(graph: Uint8Array, { threads, weightFolder }: SessionOptions): Promise<GraphSession> {
    const session = await InferenceSession.create(graph, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "disabled",
      // The arena and its pattern keep the largest buffers ever used; tens of processes can't afford that.
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: ERRORS_ONLY,
      extra: {
        session: {
          disable_prepacking: "1",
          intra_op: { allow_spinning: "0" },
          inter_op: { allow_spinning: "0" },
          ...(weightFolder === null ? {} : { model_external_initializers_file_folder_path: weightFolder }),
        },
      },
    });
    return new GraphSession(session);
  }

  /** Runs the graph; the elements of each result, float32, of the shapes given: one after the other in one buffer, in their order. */
  async run(feeds: Readonly<Record<string, OrtTensor>>, shapes: ResultShapes): Promise<Record<string, Float32Array>> {
    const fetches: Record<string, OrtTensor> = {};
    const results: Record<string, Float32Array> = {};
    let total = 0;
    for (const name in shapes) total += elements(shapes[name]);
    const buffer = new ArrayBuffer(total * Float32Array.BYTES_PER_ELEMENT);
    let at = 0;
    for (const name in shapes) {
      const shape = shapes[name];
      const length = elements(shape);
      results[name] = new Float32Array(buffer, at * Float32Array.BYTES_PER_ELEMENT, length);
      fetches[name] = new OrtTensor("float32", results[name], shape);
      at += length;
    }
    await this.#session.run(feeds, fetches);
    return results;
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function elements(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
}

/** ONNX Runtime's severities: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal. */
export const ERRORS_ONLY = 3;

/** A view of a tensor's elements in ONNX Runtime's terms, as `shape`; nothing is copied. Throws TypeError for float64 elements. */
export function feed(tensor: Tensor, shape: readonly number[]): OrtTensor {
  if (!(tensor.data instanceof Float32Array))
    throw new TypeError(
      "ONNX Runtime: expected float32 elements, got float64; give each engine tensors of its own word",
    );
  return new OrtTensor("float32", tensor.data, shape);
}

/** Integers [length] as int64. */
export const feedIntegers = (values: readonly number[]): OrtTensor =>
  new OrtTensor("int64", BigInt64Array.from(values, BigInt), [values.length]);
