/** A prompt through the model alone, in this process: what every other run is held against. */
import path from "node:path";
import { openModel } from "../../../layers/model.ts";
import { monolithicModel, type PlainSequence } from "../../../layers/onnx/monolithic-model.ts";
import { sampleToken, type SamplingRule } from "../../../layers/sampling.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { warn } from "../../../layers/warning.ts";
import { samplingOf, type RunConfig } from "../config/run-config.ts";
import { DEFAULT_MODEL } from "../deployment/open-deployment.ts";
import type { RunRecord } from "../record/run-record.ts";
import { checkContext } from "../session/describe-session.ts";
import { checkDecoder, encodePrompt, type Prompt } from "./encode-prompt.ts";
import type { GenerateOptions, Run } from "./run.ts";
import { spokenText, type SpokenText } from "./spoken-text.ts";

/** As many as a party has, so that seconds compare. */
const THREADS = 1;

/** What no party took part in. */
const NOTHING_SENT = {
  payloadBytes: 0,
  expectedPayloadBytes: 0,
  framingBytes: 0,
  controlBytes: 0,
  messages: 0,
  rounds: 0,
  expectedRounds: 0,
  phases: [],
  smpc: null,
  parties: {},
  machines: {},
  conclusions: [],
  isHidden: true,
  hiding: null,
};

/** Opens the whole model in this process. Throws Error as `openRun` does for a model or a prompt that don't fit. */
export async function openPlainRun(config: RunConfig, prompt: Prompt, report: (doing: string) => void): Promise<Run> {
  report("opening the model");
  const modelPath = path.resolve(config.model ?? DEFAULT_MODEL);
  const model = await openModel(modelPath);
  try {
    model.notes.forEach(warn);
    checkDecoder(model);
    const tokenizer = await openTokenizer(modelPath);
    const { publicPrefix, secret } = await encodePrompt(tokenizer, prompt, config.publicPrefix, warn);
    const promptIds = [...publicPrefix, ...secret];
    checkContext(model, promptIds.length, config.maxTokens);
    const whole = await monolithicModel(model, { threads: THREADS });
    const stops = new Set([...tokenizer.stopTokens, ...model.spec.stopTokens]);
    return {
      generate: async (options) => {
        const tokens = plainTokens(whole.begin(), promptIds, samplingOf(config), { stops, most: config.maxTokens });
        const speak = (): Promise<SpokenText> => spokenText(tokens, { tokenizer, promptIds }, options.onText);
        const { generatedIds, ...said } = await timed(speak, options);
        return {
          ...said,
          promptIds,
          publicPrefixLength: publicPrefix.length,
          generatedIds: [...generatedIds],
          stopped: stops.has(generatedIds.at(-1) ?? -1) ? "stop-token" : "max-tokens",
          ...NOTHING_SENT,
          model: { name: model.name, fingerprint: model.fingerprint },
          config: { ...config },
        };
      },
      async close() {
        await whole.close();
        await model.close();
      },
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** The tokens that the model generates after a prompt; ends after a stop token, which is yielded. */
async function* plainTokens(
  sequence: PlainSequence,
  promptIds: readonly number[],
  rule: SamplingRule,
  { stops, most }: { readonly stops: ReadonlySet<number>; readonly most: number },
): AsyncGenerator<number> {
  let ids = promptIds;
  for (let step = 0; step < most; step++) {
    const { logits } = await sequence.extend(ids);
    const token = sampleToken(logits!.data, rule, step);
    yield token;
    if (stops.has(token)) return;
    ids = [token];
  }
}

type Times = Pick<RunRecord, "seconds" | "firstTokenSeconds" | "startupSeconds" | "cpuSeconds">;

/** What was said, with the seconds of a record: all from when the model stands. */
async function timed(
  speak: () => Promise<SpokenText>,
  { startedAt }: GenerateOptions,
): Promise<Times & Pick<SpokenText, "text" | "generatedIds">> {
  const [openedAt, cpuAtOpen] = [performance.now(), process.cpuUsage()];
  const { text, generatedIds, firstTokenAt, endedAt } = await speak();
  const { user, system } = process.cpuUsage(cpuAtOpen);
  return {
    text,
    generatedIds,
    seconds: (endedAt - openedAt) / 1000,
    firstTokenSeconds: (firstTokenAt - openedAt) / 1000,
    startupSeconds: (openedAt - startedAt) / 1000,
    cpuSeconds: (user + system) / 1e6,
  };
}
