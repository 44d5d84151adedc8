/** One prompt through a deployment: from text to text and the record of what it cost and who saw what. */
import { hostname } from "node:os";
import type { Model } from "../../../layers/model.ts";
import { prefixKeysAndValues } from "../../../layers/prefix/prefix-keys-and-values.ts";
import { warn } from "../../../layers/warning.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import type { Tokenizer } from "../../../layers/tokenizer/tokenizer.ts";
import { checkDecoder, encodePrompt, type Prompt, type PromptIds } from "./encode-prompt.ts";
import { generate } from "./generation.ts";
import { openPlainRun } from "./plain-run.ts";
import type { GenerateOptions, Run } from "./run.ts";
import { spokenText, type SpokenText } from "./spoken-text.ts";
import { concludedRecord } from "../record/concluded-record.ts";
import { machineExposures } from "../record/join-exposures.ts";
import { openDeployment, type OpenedDeployment } from "../deployment/open-deployment.ts";
import { totalCpuSeconds } from "../record/party-report.ts";
import { withDefaultPreset } from "../config/presets.ts";
import { placementText, samplingOf, type RunConfig } from "../config/run-config.ts";
import type { RunRecord } from "../record/run-record.ts";
import { sessionCosts } from "../record/session-costs.ts";
import { prepareSession } from "../session/prepare-session.ts";
import { isPlain } from "../session/layer-placement.ts";
import { smpcRecord } from "../record/smpc-record.ts";
import type { SessionDescription } from "../session/session-description.ts";

/** What is known of a prompt before any party is started. */
interface EncodedPrompt {
  readonly tokenizer: Tokenizer;
  readonly ids: PromptIds;
  readonly description: SessionDescription;
}

/**
 * Starts or joins the parties that the config asks for; `report` is told what is being done. A prompt that the model can't take is
 * refused before that. Throws Error naming what does not fit.
 */
export async function openRun(given: RunConfig, prompt: Prompt, report: (doing: string) => void): Promise<Run> {
  const config = withDefaultPreset(given);
  if (isPlain(placementText(config))) return openPlainRun(config, prompt, report);
  let encoded: EncodedPrompt;
  const opened = await openDeployment(config, report, async (model, modelPath) => {
    encoded = await preparePrompt(config, model, modelPath, prompt, report);
  });
  return {
    generate: (options) => generateOnce(opened, encoded, config, { ...options, report }),
    close: () => opened.close(),
  };
}

async function preparePrompt(
  config: RunConfig,
  model: Model,
  modelPath: string,
  prompt: Prompt,
  report: (doing: string) => void,
): Promise<EncodedPrompt> {
  checkDecoder(model);
  const tokenizer = await openTokenizer(modelPath);
  const ids = await encodePrompt(tokenizer, prompt, config.publicPrefix, warn);
  const { publicPrefix, secret } = ids;
  const description = await prepareSession(model, { config, publicPrefix, promptLength: secret.length, report });
  // The nodes of other machines compute it themselves, and here it isn't needed.
  if (publicPrefix.length > 0 && config.topology === undefined)
    await prefixKeysAndValues(model, publicPrefix, { report });
  return { tokenizer, ids, description };
}

async function generateOnce(
  opened: OpenedDeployment,
  { tokenizer, ids, description }: EncodedPrompt,
  config: RunConfig,
  options: GenerateOptions & { readonly report: (doing: string) => void },
): Promise<RunRecord> {
  const { model, deployment, head } = opened;
  const stops = new Set([...tokenizer.stopTokens, ...model.spec.stopTokens]);
  options.report("opening a session with the parties");
  const session = await opened.client.open(description);
  options.report(`computing the first token from ${description.promptLength} secret ones`);
  const openedAt = performance.now();
  const promptIds = [...ids.publicPrefix, ...ids.secret];
  const tokens = generate(session, head, ids.secret, samplingOf(config), stops);
  let spoken: SpokenText;
  try {
    spoken = await spokenText(tokens, { tokenizer, promptIds }, options.onText);
  } catch (error) {
    await session.giveUp(error);
    throw error;
  }
  const { text, generatedIds, firstTokenAt, endedAt } = spoken;
  const clientCpuSeconds = session.cpuSeconds;
  const reports = await session.close();
  const stopped = stops.has(generatedIds.at(-1) ?? -1);
  const costs = await sessionCosts(deployment, session, reports, model, generatedIds.length);
  const smpc = smpcRecord(session, reports, costs, deployment.machines);
  const machines = machineExposures(reports, deployment.machines ?? {}, description.smpc?.parties ?? 0);
  const concluded = await concludedRecord(
    { description, model, steps: generatedIds.length },
    reports,
    machines,
    config,
  );
  return {
    text,
    promptIds,
    publicPrefixLength: ids.publicPrefix.length,
    generatedIds: [...generatedIds],
    stopped: stopped ? "stop-token" : "max-tokens",
    seconds: (endedAt - openedAt) / 1000,
    firstTokenSeconds: (firstTokenAt - openedAt) / 1000,
    startupSeconds: (openedAt - options.startedAt) / 1000,
    cpuSeconds: totalCpuSeconds([...reports, { pid: process.pid, host: hostname(), cpuSeconds: clientCpuSeconds }]),
    ...costs,
    smpc,
    parties: Object.fromEntries(reports.map(({ party, exposure }) => [party, exposure])) as RunRecord["parties"],
    machines: machines as RunRecord["machines"],
    ...concluded,
    model: { name: model.name, fingerprint: model.fingerprint },
    config: { ...config },
  };
}
