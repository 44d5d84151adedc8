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
  /** Of each prompt. */
  readonly tokens: number;
  readonly prompts: readonly PromptIds[];
  /** A session of the setting's first prompt, in memory: bytes and what is seen depend on lengths alone. Run once. */
  session(): Promise<RunRecord>;
  readonly report: (doing: string) => void;
}

/** What all cells of a question share: opened once. */
export class SharedLab {
  readonly opened: OpenedQuestion;
  readonly model: ExperimentRecord["model"];
  /** Token ids of the file's lines from `skip` on. */
  readonly #lines: readonly (readonly number[])[];
  readonly #prompts = new Map<number, readonly PromptIds[]>();
  readonly #sessions = new Map<string, Promise<RunRecord>>();

  private constructor(opened: OpenedQuestion, model: ExperimentRecord["model"], lines: readonly (readonly number[])[]) {
    this.opened = opened;
    this.model = model;
    this.#lines = lines;
  }

  /** Throws Error naming a model or a file that can't be read. */
  static async open(opened: OpenedQuestion, report: (doing: string) => void): Promise<SharedLab> {
    report("opening the model");
    const model = await openModel(modelPath(opened));
    const { name, fingerprint } = model;
    await model.close();
    const tokenizer = await openTokenizer(modelPath(opened));
    const file = textsOf(opened);
    const texts = (await readText("workload", file)).split("\n").filter((line) => line.trim() !== "");
    const lines = texts
      .slice(opened.question.workload.skip)
      .map((line) => tokenizer.encode(line, { addSpecial: true }));
    return new SharedLab(opened, { name, fingerprint }, lines);
  }

  /** The prompts of so many tokens. Throws Error where the file has too few. */
  prompts(tokens: number): readonly PromptIds[] {
    return remembered(this.#prompts, tokens, () => promptsOf(this.opened, this.#lines, tokens));
  }

  /** Hash of the ids of prompts of so many tokens. */
  promptsHash(tokens: number): string {
    return createHash("sha256")
      .update(JSON.stringify(this.prompts(tokens)))
      .digest("hex")
      .slice(0, 16);
  }

  /** What a measure of one cell is given. */
  of(
    { setting, config, network, tokens }: Pick<Lab, "setting" | "config" | "network" | "tokens">,
    report: (doing: string) => void,
  ): Lab {
    const { question, folder } = this.opened;
    const whole = { ...config, model: modelPath(this.opened), maxTokens: question.workload.newTokens };
    const prompts = this.prompts(tokens);
    const session = (): Promise<RunRecord> =>
      remembered(this.#sessions, JSON.stringify([whole, tokens]), () => firstSession(whole, prompts[0], report));
    return { question, folder, setting, config: whole, network, tokens, prompts, session, report };
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

const textsOf = ({ question, folder }: OpenedQuestion): string => path.resolve(folder, question.workload.file);

function promptsOf(opened: OpenedQuestion, lines: readonly (readonly number[])[], tokens: number): PromptIds[] {
  const { count, publicTokens } = opened.question.workload;
  if (publicTokens >= tokens)
    throw new Error(`workload.publicTokens: expected fewer than the ${tokens} tokens of a prompt, got ${publicTokens}`);
  const long = lines.filter((ids) => ids.length >= tokens);
  const texts = long.length >= count ? long : joined(lines, tokens);
  if (texts.length < count)
    throw new Error(`workload ${textsOf(opened)}: expected ${count} texts of ${tokens} tokens, got ${texts.length}`);
  return texts
    .slice(0, count)
    .map((ids) => ({ publicPrefix: ids.slice(0, publicTokens), secret: ids.slice(publicTokens, tokens) }));
}

/** Lines one after the other, cut where there are enough tokens. */
function joined(lines: readonly (readonly number[])[], tokens: number): number[][] {
  const texts: number[][] = [];
  let text: number[] = [];
  for (const ids of lines) {
    text.push(...ids);
    if (text.length < tokens) continue;
    texts.push(text);
    text = [];
  }
  return texts;
}
