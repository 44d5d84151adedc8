/** Every golden model through every sharding of a grid, in memory and over sockets. */
import path from "node:path";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { runConfig } from "../../protocols/fusion/config/run-config.ts";
import type { VerifyRecord } from "./verify-record.ts";
import { verify } from "./verify.ts";

export interface Grid {
  readonly models: readonly string[];
  readonly alphas: readonly number[];
  readonly ms: readonly number[];
  readonly cs: readonly number[];
  readonly places: readonly RunConfig["place"][];
}

/** The grid of the first figure: seven models, 36 shardings, in memory and over sockets. */
export const WHOLE_GRID: Grid = {
  models: ["bert", "gemma2", "gpt2", "llama-gqa", "llama-mha-untied", "mistral-window", "qwen2-bias"],
  alphas: [1, 2, 5, 8],
  ms: [1, 2, 3],
  cs: [1, 2, 8],
  places: ["memory", "sockets"],
};

export interface GridCell {
  readonly model: string;
  readonly alpha: number;
  readonly m: number;
  readonly c: number;
  readonly place: RunConfig["place"];
}

/** All cells of a grid. */
export function cells({ models, alphas, ms, cs, places }: Grid): GridCell[] {
  return models.flatMap((model) =>
    places.flatMap((place) =>
      alphas.flatMap((alpha) => ms.flatMap((m) => cs.map((c) => ({ model, alpha, m, c, place })))),
    ),
  );
}

/** One cell, against the golden file beside the model's weights in `folder`/MODEL. */
export function verifyCell(folder: string, { model, ...shape }: GridCell, tolerance: number): Promise<VerifyRecord> {
  const at = path.join(folder, model);
  return verify(runConfig.parse({ model: at, ...shape }), path.join(at, "golden.safetensors"), tolerance, () => {});
}
