/** A lab of one short prompt on the model that comes with weir. */
import path from "node:path";
import { SharedLab, type Lab } from "../../../experiments/lab/lab.ts";
import { questionSchema, type Network } from "../../../experiments/lab/question.ts";
import { parseRunConfig } from "../../../protocols/fusion/config/run-config.ts";

const TEXTS = path.resolve(import.meta.dirname, "../../../experiments/attacks/texts/heldout.txt");

/** What a measure is given for a setting. */
export async function smallLab(
  setting: Readonly<Record<string, unknown>>,
  { network = null, count = 1, tokens = 12 }: { network?: Network | null; count?: number; tokens?: number } = {},
): Promise<Lab> {
  const question = questionSchema.parse({
    version: 1,
    id: "small",
    question: "What of a short prompt?",
    workload: { file: TEXTS, count, tokens, newTokens: 3, publicTokens: 2 },
    measures: ["cost"],
  });
  const shared = await SharedLab.open({ question, folder: "." }, () => {});
  const config = parseRunConfig({ place: "memory", ...setting });
  return shared.of({ setting, config, network, tokens }, () => {});
}
