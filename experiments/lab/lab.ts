/** What a measure is given for one cell: model, prompts, setting, and sessions of it that other measures of the setting share. */
import { createHash } from "node:crypto";
import path from "node:path";
import { openModel } from "../../layers/model.ts";
import { openTokenizer } from "../../layers/tokenizer/open-tokenizer.ts";
import { readText } from "../../layers/read-text.ts";
import type { PromptIds } from "../../protocols/fusion/client/encode-prompt.ts";
import { openRun } from "../../protocols/fusion/client/run-prompt.ts";
import { DEFAULT_MODEL } from "../../protocols/fusion/deployment/open-deployment.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import type { RunRecord } from "../../protocols/fusion/record/run-record.ts";
import { remembered } from "../../protocols/remembered.ts";
import type { ExperimentRecord } from "./experiment-record.ts";
import type { Network, OpenedQuestion, Question } from "./question.ts";

export interface Lab {
  readonly question: Question;
  /** Folder that the question's files are relative to. */
  readonly folder: string;
  /** As the question wrote it. */
  readonly setting: Readonly<Record<string, unknown>>;
  /** The same as a run config, with the question's model and numbers of tokens. */
  readonly config: RunConfig;
  readonly network: Network | null;
  readonly prompts: readonly PromptIds[];
  /** A session of the setting's first prompt, in memory: bytes and what is seen depend on lengths alone. Run once. */
  session(): Promise<RunRecord>;
  readonly report: (doing: string) => void;
}

/** What all cells of a question share: opened once. */
export class SharedLab {
  readonly opened: OpenedQuestion;
  readonly model: ExperimentRecord["model"];
  readonly prompts: readonly PromptIds[];
  readonly promptsHash: string;
  readonly #sessions = new Map<string, Promise<RunRecord>>();

  private constructor(opened: OpenedQuestion, model: ExperimentRecord["model"], prompts: readonly PromptIds[]) {
    this.opened = opened;
    this.model = model;
    this.prompts = prompts;
    this.promptsHash = createHash("sha256").update(JSON.stringify(prompts)).digest("hex").slice(0, 16);
  }

  /** Throws Error naming a model or a file that can't be read, or that has too few lines of enough tokens. */
  static async open(opened: OpenedQuestion, report: (doing: string) => void): Promise<SharedLab> {
    report("opening the model");
    const model = await openModel(modelPath(opened));
    const { name, fingerprint } = model;
    await model.close();
    return new SharedLab(opened, { name, fingerprint }, await promptIds(opened));
  }

  /** What a measure of one cell is given. */
  of({ setting, config, network }: Pick<Lab, "setting" | "config" | "network">, report: (doing: string) => void): Lab {
    const { question, folder } = this.opened;
    const whole = { ...config, model: modelPath(this.opened), maxTokens: question.workload.newTokens };
    const session = (): Promise<RunRecord> =>
      remembered(this.#sessions, JSON.stringify(whole), () => firstSession(whole, this.prompts[0], report));
    return { question, folder, setting, config: whole, network, prompts: this.prompts, session, report };
  }
}

/** A path that a person gave; the model that comes with weir where none is. */
const modelPath = ({ question }: OpenedQuestion): string => path.resolve(question.model ?? DEFAULT_MODEL);

async function firstSession(config: RunConfig, prompt: PromptIds, report: (doing: string) => void): Promise<RunRecord> {
  const run = await openRun({ ...config, place: "memory" }, prompt, report);
  try {
    return await run.generate({ startedAt: performance.now(), onText: () => {} });
  } finally {
    await run.close();
  }
}

async function promptIds(opened: OpenedQuestion): Promise<PromptIds[]> {
  const { file, skip, count, tokens, publicTokens } = opened.question.workload;
  if (publicTokens >= tokens)
    throw new Error(`workload.publicTokens: expected fewer than the ${tokens} tokens of a prompt, got ${publicTokens}`);
  const tokenizer = await openTokenizer(modelPath(opened));
  const at = path.resolve(opened.folder, file);
  const lines = (await readText("workload", at)).split("\n").filter((line) => line.trim() !== "");
  const long = lines
    .slice(skip)
    .map((line) => tokenizer.encode(line, { addSpecial: true }))
    .filter((ids) => ids.length >= tokens);
  if (long.length < count)
    throw new Error(
      `workload ${at}: expected ${count} texts of ${tokens} tokens after line ${skip}, got ${long.length}`,
    );
  return long
    .slice(0, count)
    .map((ids) => ({ publicPrefix: ids.slice(0, publicTokens), secret: ids.slice(publicTokens, tokens) }));
}
