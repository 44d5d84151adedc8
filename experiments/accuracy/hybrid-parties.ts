/** A model whose layers run partly under SMPC, opened once: what it computes for a text, and what that cost. */
import type { AccuracyText } from "./accuracy-texts.ts";
import { rowArgMax } from "../verify/golden.ts";
import { takeRows, type FloatArray, type Tensor } from "../../layers/tensor.ts";
import type { ClientSession } from "../../protocols/fusion/client/client.ts";
import { openSession } from "../../protocols/fusion/client/open-session.ts";
import { openDeployment, type OpenedDeployment } from "../../protocols/fusion/deployment/open-deployment.ts";
import { totalCpuSeconds } from "../../protocols/fusion/record/party-report.ts";
import type { RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { sessionCosts, type SessionCosts } from "../../protocols/fusion/record/session-costs.ts";
import { smpcRecord } from "../../protocols/fusion/record/smpc-record.ts";
import type { FailedRow } from "../../protocols/smpc/run/hand-over.ts";
import type { SessionDescription } from "../../protocols/fusion/session/session-description.ts";
import type { PrecisionName } from "../../protocols/smpc/lowering/precision.ts";

/** Where each layer is computed, in the words of a run config, and how finely on shares. */
export interface HybridSetting {
  readonly placement: string;
  readonly precision: PrecisionName;
}

/** The tokens of a prompt, of which the first `prefixLength` are public. */
export type HybridPrompt = Pick<AccuracyText, "ids" | "prefixLength">;

/** What one session did, apart from what it computed. */
export interface SessionFigures {
  readonly failedRows: readonly FailedRow[];
  /** Payload of each phase, all parties summed. */
  readonly bytes: Readonly<Record<string, number>>;
  /** Payload and rounds are those that the cost expressions declare. */
  readonly asDeclared: boolean;
  /** Openings that follow one another under SMPC. */
  readonly openings: number;
  /** Longest chain of dependent messages. */
  readonly rounds: number;
  /** CPU seconds of the client's process, and of the others. */
  readonly clientCpuSeconds: number;
  /** From the open session to the end of its first step, and of each later one. */
  readonly firstSeconds: number;
  readonly laterSeconds: number;
  readonly dealerSeconds: number;
  /** Of the parties' processes, each once; in memory the client's, too. */
  readonly cpuSeconds: number;
}

export class HybridParties {
  readonly #config: RunConfig;
  readonly opened: OpenedDeployment;

  private constructor(config: RunConfig, opened: OpenedDeployment) {
    this.#config = config;
    this.opened = opened;
  }

  /**
   * Opens the model and its parties as the config says; `settings` are those that will be asked for. Throws Error where the model or the
   * config don't fit.
   */
  static async open(
    config: RunConfig,
    settings: readonly HybridSetting[],
    report: (doing: string) => void,
  ): Promise<HybridParties> {
    // Layer 0 on shares: the shape that has all parties, and a client that embeds. No Cascade nodes where no setting asks for them.
    const onShares = settings.every(({ placement }) => /^\s*all\s*=\s*(smpc|delegated)/.test(placement));
    const placement = onShares ? "all=delegated" : "0=smpc";
    return new HybridParties(config, await openDeployment({ ...config, head: "client", placement }, report));
  }

  /** Rows of the N secret positions after the last layer and the final norm, [N, d], and logits [N, vocabulary] of a decoder. */
  async allRows(
    setting: HybridSetting,
    { ids, prefixLength }: HybridPrompt,
  ): Promise<SessionFigures & { rows: Tensor; logits: Tensor | null }> {
    let read: Tensor | undefined;
    const more = { output: "all", maxNewTokens: 0, publicPrefix: ids.slice(0, prefixLength) } as const;
    const secret = ids.slice(prefixLength);
    const figures = await this.#session(setting, secret.length, more, async (session) => {
      const result = await session.step(0, secret);
      if (!("rows" in result)) throw new Error("accuracy: expected rows from the parties, got a token");
      read = result.rows;
      return null;
    });
    const { finished, logits } = await this.opened.head!.head(read!);
    return { ...figures, rows: finished, logits };
  }

  /** `steps` greedy tokens after a prompt (fewer at a stop token, which is given too), and the logits of each, [vocabulary]. */
  async greedy(
    setting: HybridSetting,
    { ids, prefixLength }: HybridPrompt,
    steps: number,
    stops: ReadonlySet<number>,
  ): Promise<SessionFigures & { tokens: readonly number[]; logits: readonly FloatArray[] }> {
    const tokens: number[] = [];
    const logits: FloatArray[] = [];
    const more = { output: "last", maxNewTokens: steps, publicPrefix: ids.slice(0, prefixLength) } as const;
    const secret = ids.slice(prefixLength);
    const figures = await this.#session(setting, secret.length, more, async (session, step) => {
      const result = await session.step(step, step === 0 ? secret : tokens.slice(-1));
      if (!("rows" in result)) throw new Error("accuracy: expected rows from the parties, got a token");
      const last = await this.opened.head!.head(takeRows(result.rows, [result.rows.shape[0] - 1]));
      if (last.logits === null) throw new Error("accuracy: expected a model with an LM head, got an encoder");
      logits.push(last.logits.data);
      tokens.push(rowArgMax(last.logits.data, 1)[0]);
      return stops.has(tokens[tokens.length - 1]) || step === steps - 1 ? null : "more";
    });
    return { ...figures, tokens, logits };
  }

  close(): Promise<void> {
    return this.opened.close();
  }

  /** Opens a session, takes steps until one gives null, and closes it. */
  async #session(
    { placement, precision }: HybridSetting,
    promptLength: number,
    more: Pick<SessionDescription, "output" | "maxNewTokens" | "publicPrefix">,
    take: (session: ClientSession, step: number) => Promise<"more" | null>,
  ): Promise<SessionFigures> {
    const { model, deployment } = this.opened;
    const config = { ...this.#config, placement, smpcPrecision: precision };
    const session = await openSession(this.opened, { config, promptLength, ...more });
    const startedAt = performance.now();
    let firstAt = 0;
    let steps = 0;
    try {
      for (let going: "more" | null = "more"; going !== null; steps++) {
        going = await take(session, steps);
        if (steps === 0) firstAt = performance.now();
      }
    } catch (error) {
      await session.giveUp(error);
      throw error;
    }
    const endedAt = performance.now();
    const clientCpuSeconds = session.cpuSeconds;
    const reports = await session.close();
    const costs = await sessionCosts(deployment, session, reports, model, steps);
    const record = smpcRecord(session, reports, costs, deployment.machines);
    return {
      failedRows: record?.failedRows ?? [],
      bytes: Object.fromEntries(costs.phases.map(({ phase, payloadBytes }) => [phase, payloadBytes])),
      asDeclared: isAsDeclared(costs),
      openings: record?.rounds ?? 0,
      rounds: costs.rounds,
      firstSeconds: (firstAt - startedAt) / 1000,
      laterSeconds: steps === 1 ? 0 : (endedAt - firstAt) / 1000 / (steps - 1),
      clientCpuSeconds,
      dealerSeconds: record?.dealerSeconds ?? 0,
      cpuSeconds: totalCpuSeconds(reports),
    };
  }
}

function isAsDeclared({ phases, rounds, expectedRounds }: SessionCosts): boolean {
  return (
    rounds === expectedRounds &&
    phases.every(
      (phase) => phase.payloadBytes === phase.expectedPayloadBytes && phase.messages === phase.expectedMessages,
    )
  );
}
