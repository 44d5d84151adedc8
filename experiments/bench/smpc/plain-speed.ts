import { openModel, type Model } from "../../../layers/model.ts";
import { monolithicModel, type MonolithicModel } from "../../../layers/onnx/monolithic-model.ts";
import { openTokenizer } from "../../../layers/tokenizer/open-tokenizer.ts";
import { warn } from "../../../layers/warning.ts";
import { encodePrompt, type Prompt, type PromptIds } from "../../../protocols/fusion/client/encode-prompt.ts";
import type { RunConfig } from "../../../protocols/fusion/config/run-config.ts";
import { rowArgMax } from "../../verify/golden.ts";
import type { TimedGeneration } from "./timed-generation.ts";

/** The model in one ONNX Runtime session of this process, on one thread: what placements are held against. */
export class PlainSpeed {
  readonly #model: Model;
  readonly #plain: MonolithicModel;
  readonly #ids: PromptIds;
  readonly #config: RunConfig;

  private constructor(model: Model, plain: MonolithicModel, ids: PromptIds, config: RunConfig) {
    this.#model = model;
    this.#plain = plain;
    this.#ids = ids;
    this.#config = config;
  }

  /** Opens the model and encodes the prompt. Throws ModelFileError for a model that can't be read. */
  static async open(config: RunConfig, prompt: Prompt): Promise<PlainSpeed> {
    const model = await openModel(config.model!);
    const ids = await encodePrompt(await openTokenizer(config.model!), prompt, config.publicPrefix, warn);
    return new PlainSpeed(model, await monolithicModel(model, { threads: 1 }), ids, config);
  }

  /** Greedy tokens after the whole prompt: its public tokens are computed too. */
  async generate(): Promise<TimedGeneration> {
    const { publicPrefix, secret } = this.#ids;
    const stops = new Set(this.#model.spec.stopTokens);
    const [startedAt, cpuAtStart] = [performance.now(), process.cpuUsage()];
    const sequence = this.#plain.begin();
    let next = [...publicPrefix, ...secret];
    let [tokens, firstAt] = [0, 0];
    do {
      const { logits } = await sequence.extend(next);
      next = rowArgMax(logits!.data, 1);
      if (tokens++ === 0) firstAt = performance.now();
    } while (tokens < this.#config.maxTokens && !stops.has(next[0]));
    const endedAt = performance.now();
    const { user, system } = process.cpuUsage(cpuAtStart);
    return {
      publicTokens: publicPrefix.length,
      promptTokens: publicPrefix.length + secret.length,
      tokens,
      firstTokenSeconds: (firstAt - startedAt) / 1000,
      secondsPerToken: (endedAt - firstAt) / 1000 / Math.max(1, tokens - 1),
      clientCpuSeconds: (user + system) / 1e6,
      allCpuSeconds: (user + system) / 1e6,
      bytes: {},
      rounds: 0,
    };
  }

  async close(): Promise<void> {
    await this.#plain.close();
    await this.#model.close();
  }
}
