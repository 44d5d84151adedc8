/** One prompt through a deployment: from text to text and the record of what it cost and who saw what. */
import { hostname } from "node:os";
import type { Model } from "../../../layers/model.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";
import { generate } from "./generation.ts";
import { machineExposures } from "../record/join-exposures.ts";
import { openDeployment, type OpenedDeployment } from "../deployment/open-deployment.ts";
import { totalCpuSeconds } from "../record/party-report.ts";
import { samplingOf, type RunConfig } from "../config/run-config.ts";
import type { RunRecord } from "../record/run-record.ts";
import { sessionCosts } from "../record/session-costs.ts";
import { prepareSession } from "../session/prepare-session.ts";
import { smpcRecord } from "../record/smpc-record.ts";
import type { SessionDescription } from "../session/session-description.ts";

export interface Prompt {
  readonly text: string;
  /** Put the prompt through the model's chat template. */
  readonly chat: boolean;
}

export interface GenerateOptions {
  /** `performance.now()` at the start of the command. */
  readonly startedAt: number;
  readonly onText: (text: string) => void;
}

/** Parties that stand ready for a prompt. */
export interface Run {
  generate(options: GenerateOptions): Promise<RunRecord>;
  close(): Promise<void>;
}

/** What is known of a prompt before any party is started. */
interface EncodedPrompt {
  readonly tokenizer: Tokenizer;
  readonly promptIds: readonly number[];
  readonly description: SessionDescription;
}

/**
 * Starts or joins the parties that the config asks for; `report` is told what is being done. A prompt that the model can't take is
 * refused before that. Throws Error naming what does not fit.
 */
export async function openRun(given: RunConfig, prompt: Prompt, report: (doing: string) => void): Promise<Run> {
  // The model that comes with weir has its ranges beside it; a topology's parties are what it says.
  const byDefault = given.model === undefined && given.topology === undefined ? "first:1" : "none";
  const config = given.placement === undefined ? { ...given, smpcLayers: given.smpcLayers ?? byDefault } : given;
  let encoded: EncodedPrompt;
  const opened = await openDeployment(config, report, async (model, modelPath) => {
    encoded = await encodePrompt(config, model, modelPath, prompt, report);
  });
  return {
    generate: (options) => generateOnce(opened, encoded, config, options),
    close: () => opened.close(),
  };
}

async function encodePrompt(
  config: RunConfig,
  model: Model,
  modelPath: string,
  { text, chat }: Prompt,
  report: (doing: string) => void,
): Promise<EncodedPrompt> {
  if (model.program.logits === null)
    throw new Error(
      `model ${model.name}: expected a decoder, got an encoder (${model.spec.modelType}); it can be verified, not prompted`,
    );
  const tokenizer = await openTokenizer(modelPath);
  const promptIds = chat
    ? tokenizer.encode(tokenizer.applyChatTemplate([{ role: "user", content: text }], { addGenerationPrompt: true }), {
        addSpecial: false,
      })
    : tokenizer.encode(text, { addSpecial: true });
  const description = await prepareSession(model, { config, promptLength: promptIds.length, report });
  return { tokenizer, promptIds, description };
}

async function generateOnce(
  opened: OpenedDeployment,
  { tokenizer, promptIds, description }: EncodedPrompt,
  config: RunConfig,
  options: GenerateOptions,
): Promise<RunRecord> {
  const { model, deployment, head } = opened;
  const stops = new Set([...tokenizer.stopTokens, ...model.spec.stopTokens]);
  const session = await opened.client.open(description);
  const openedAt = performance.now();
  const generatedIds: number[] = [];
  let text = "";
  const give = (piece: string): void => {
    text += piece;
    options.onText(piece);
  };
  let firstTokenAt = 0;
  try {
    const decoder = tokenizer.streamDecoder({ skipSpecial: true, after: promptIds });
    for await (const id of generate(session, head, promptIds, samplingOf(config), stops)) {
      if (generatedIds.length === 0) firstTokenAt = performance.now();
      generatedIds.push(id);
      give(decoder.push(id));
    }
    give(decoder.flush());
  } catch (error) {
    await session.abort(error instanceof Error ? error.message : String(error));
    throw error;
  }
  const endedAt = performance.now();
  const clientCpuSeconds = session.cpuSeconds;
  const reports = await session.close();
  const stopped = stops.has(generatedIds.at(-1) ?? -1);
  const costs = await sessionCosts(deployment, session, reports, model, generatedIds.length);
  const smpc = smpcRecord(session, reports, costs, deployment.machines);
  return {
    text,
    promptIds: [...promptIds],
    generatedIds,
    stopped: stopped ? "stop-token" : "max-tokens",
    seconds: (endedAt - openedAt) / 1000,
    firstTokenSeconds: (firstTokenAt - openedAt) / 1000,
    startupSeconds: (openedAt - options.startedAt) / 1000,
    cpuSeconds: totalCpuSeconds([...reports, { pid: process.pid, host: hostname(), cpuSeconds: clientCpuSeconds }]),
    ...costs,
    smpc,
    parties: Object.fromEntries(reports.map(({ party, exposure }) => [party, exposure])) as RunRecord["parties"],
    machines: machineExposures(
      reports,
      deployment.machines ?? {},
      description.smpc?.parties ?? 0,
    ) as RunRecord["machines"],
    model: { name: model.name, fingerprint: model.fingerprint },
    config: { ...config },
  };
}
