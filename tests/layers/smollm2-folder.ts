import { existsSync } from "node:fs";
import path from "node:path";

/** Where SmolLM2-135M-Instruct lies: WEIR_SMOLLM2, or a folder shared/models beside the checkout. */
export const SMOLLM2_FOLDER =
  process.env.WEIR_SMOLLM2 ?? path.resolve(import.meta.dirname, "../../../shared/models/smollm2-135m-instruct");

/** Why tests of the real model are skipped, or false where it is there. */
export const SMOLLM2_MISSING: string | false = existsSync(path.join(SMOLLM2_FOLDER, "model.gguf"))
  ? false
  : `SmolLM2's model.gguf isn't in ${SMOLLM2_FOLDER}; set WEIR_SMOLLM2 to its folder`;
