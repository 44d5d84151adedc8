import type { ModelSpec } from "../model-spec.ts";
import type { BlockProgram, ParameterSpec } from "../program.ts";

/** Everything that makes a family of models: how its config reads, what its parameters are called, what its blocks compute. */
export interface Architecture {
  /** config.json's model_type. */
  readonly modelType: string;
  /** What a checkpoint of the bare model leaves out of the names in `ParameterSpec.hf`, and a wrapped one has: "model.", "bert.". */
  readonly hfPrefix: string;
  readonly program: BlockProgram;
  /** The shape that config.json (or GGUF metadata in the same keys) gives. Throws ModelConfigError; `origin` names the file. */
  readSpec(config: unknown, origin: string): ModelSpec;
  parameters(spec: ModelSpec): ParameterSpec[];
}
