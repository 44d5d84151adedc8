/** What sharding costs beside the same model unsharded: CPU time, tokens a second, memory and bytes, interleaved in one run. */
import { cpus, loadavg, totalmem } from "node:os";
import { monolithicModel, type MonolithicModel } from "../../layers/onnx/monolithic-model.ts";
import { GREEDY } from "../../layers/sampling.ts";
import { Generator } from "../../shares/generator.ts";
import { partyKind, type PartyKind } from "../../protocols/cascade/party-name.ts";
import type { ClientSession } from "../../protocols/fusion/client/client.ts";
import { generate } from "../../protocols/fusion/client/generation.ts";
import { openSession } from "../../protocols/fusion/client/open-session.ts";
import type { LocalProcesses } from "../../protocols/fusion/deployment/local-processes.ts";
import { openDeployment, type OpenedDeployment } from "../../protocols/fusion/deployment/open-deployment.ts";
import { totalCpuSeconds } from "../../protocols/fusion/record/party-report.ts";
import { runConfig, type RunConfig } from "../../protocols/fusion/config/run-config.ts";
import { sessionCosts } from "../../protocols/fusion/record/session-costs.ts";
import type { BenchRecord } from "./bench-record.ts";
import { processMemory } from "./process-memory.ts";
import { interleaved, median } from "./statistics.ts";

export type BenchPart = "prefill" | "decode" | "memory" | "bytes";

export interface BenchOptions {
  readonly model: string | undefined;
  readonly parts: readonly BenchPart[];
  /** N */
  readonly tokens: number;
  readonly rounds: number;
  /** Rounds that are thrown away: processes compile their hot code in the first ones. */
  readonly warmups: number;
  readonly decodeTokens: number;
}

/** Runs the parts asked for; `report` is told what is being done. */
export async function bench(options: BenchOptions, report: (doing: string) => void): Promise<BenchRecord> {
  const small = await Bench.open(options, { alpha: 1, c: 8 }, report);
  try {
    const plain = await monolithicModel(small.opened.model, { threads: 1 });
    const { name, fingerprint } = small.opened.model;
    const record: BenchRecord = {
      machine: {
        cpu: cpus()[0].model,
        cores: cpus().length,
        memoryBytes: totalmem(),
        node: process.version,
        loadAverage: loadavg()[0],
      },
      model: { name, fingerprint },
      tokens: options.tokens,
      rounds: options.rounds,
    };
    const asked = (part: BenchPart): boolean => options.parts.includes(part);
    if (asked("prefill") || asked("memory") || asked("bytes"))
      Object.assign(record, await prefillPart(options, small, plain, asked, report));
    if (asked("decode")) record.decode = await decodePart(options, plain, report);
    await plain.close();
    return record;
  } finally {
    await small.close();
  }
}

async function prefillPart(
  options: BenchOptions,
  small: Bench,
  plain: MonolithicModel,
  asked: (part: BenchPart) => boolean,
  report: (doing: string) => void,
): Promise<Partial<BenchRecord>> {
  const large = await Bench.open(options, { alpha: 8, c: 8 }, report);
  try {
    const parts: Partial<BenchRecord> = {};
    const wall: number[] = [];
    if (asked("prefill")) {
      report(`prefill: ${options.warmups} + ${options.rounds} rounds`);
      const times = await interleaved(
        {
          unsharded: () => cpuSeconds(async () => void (await plain.begin().extend(small.ids))),
          alpha1: async () => (await small.prefill()).cpuSeconds,
          alpha8: async () => {
            const { cpuSeconds, seconds } = await large.prefill();
            wall.push(seconds);
            return cpuSeconds;
          },
        },
        options.rounds,
        options.warmups,
      );
      parts.prefill = {
        unit: "CPU seconds of all processes",
        ...times,
        alpha1Ratio: times.alpha1.median / times.unsharded.median,
        alpha8Ratio: times.alpha8.median / times.unsharded.median,
        alpha8Seconds: median(wall.slice(-options.rounds)),
      };
    }
    if (asked("bytes")) parts.bytes = [await small.bytes(), await large.bytes()];
    if (asked("memory")) {
      await large.prefill();
      parts.memory = await large.memory();
    }
    return parts;
  } finally {
    await large.close();
  }
}

async function decodePart(
  options: BenchOptions,
  plain: MonolithicModel,
  report: (doing: string) => void,
): Promise<BenchRecord["decode"]> {
  const sharded = await Bench.open(options, { alpha: 4, beta: 2, c: 2 }, report);
  try {
    report(`decoding: ${options.rounds} rounds of ${options.decodeTokens} tokens`);
    const rates = await interleaved(
      {
        unsharded: () => plainRate(plain, sharded.ids, options.decodeTokens),
        sharded: () => sharded.decodeRate(options.decodeTokens),
      },
      options.rounds,
      1,
    );
    return {
      unit: "tokens a second",
      alpha: 4,
      beta: 2,
      ...rates,
      ratio: rates.sharded.median / rates.unsharded.median,
    };
  } finally {
    await sharded.close();
  }
}

/** One deployment of node processes and a prompt for it. */
class Bench {
  readonly opened: OpenedDeployment;
  readonly ids: readonly number[];
  readonly #config: RunConfig;

  private constructor(opened: OpenedDeployment, config: RunConfig, tokens: number) {
    this.opened = opened;
    this.#config = config;
    // What the tokens are changes no cost: any will do, the same ones for all.
    const generator = new Generator("bench", "ids");
    this.ids = Array.from({ length: tokens }, () => Math.floor(generator.nextUnit() * opened.model.spec.vocabulary));
  }

  static async open(
    { model, tokens }: BenchOptions,
    shape: Partial<RunConfig>,
    report: (doing: string) => void,
  ): Promise<Bench> {
    const config = runConfig.parse({ ...shape, ...(model === undefined ? {} : { model }) });
    return new Bench(await openDeployment(config, report), config, tokens);
  }

  /** The prompt to its first token: CPU seconds of all parties, and wall seconds. */
  async prefill(): Promise<{ cpuSeconds: number; seconds: number }> {
    const session = await this.#open(1);
    const startedAt = performance.now();
    const own = await cpuSeconds(() => firstToken(session, this));
    const seconds = (performance.now() - startedAt) / 1000;
    return { cpuSeconds: own + totalCpuSeconds(await session.close()), seconds };
  }

  /** Tokens a second after the first one. */
  async decodeRate(tokens: number): Promise<number> {
    const session = await this.#open(tokens + 1);
    let startedAt = 0;
    let count = 0;
    for await (const _ of generate(session, this.opened.head, this.ids, GREEDY, new Set())) {
      if (count++ === 0) startedAt = performance.now();
    }
    const rate = (count - 1) / ((performance.now() - startedAt) / 1000);
    await session.close();
    return rate;
  }

  /** Counters of one prefill beside the declared costs. */
  async bytes(): Promise<NonNullable<BenchRecord["bytes"]>[number]> {
    const session = await this.#open(1);
    await firstToken(session, this);
    const reports = await session.close();
    const { model, deployment, shape } = this.opened;
    const costs = await sessionCosts(deployment, session, reports, model, 1);
    return {
      alpha: shape.alpha,
      m: shape.beta / shape.alpha,
      payloadBytes: costs.payloadBytes,
      expectedPayloadBytes: costs.expectedPayloadBytes,
      framingShare: costs.framingBytes / costs.payloadBytes,
      rounds: costs.rounds,
      expectedRounds: costs.expectedRounds,
    };
  }

  /** Memory of every process now. */
  async memory(): Promise<NonNullable<BenchRecord["memory"]>> {
    const pids = [...(this.opened.deployment as LocalProcesses).pids];
    const of = (kind: PartyKind): Promise<Awaited<ReturnType<typeof processMemory>>[]> =>
      Promise.all(pids.filter(([party]) => partyKind(party) === kind).map(([, pid]) => processMemory(pid)));
    const [compNodes, attnNodes, client] = [await of("comp"), await of("attn"), await processMemory(process.pid)];
    const total = (field: "proportionalBytes" | "residentBytes"): number =>
      [...compNodes, ...attnNodes, client].reduce((sum, each) => sum + each[field], 0);
    return {
      compNodes,
      attnNodes,
      client,
      totalProportionalBytes: total("proportionalBytes"),
      totalResidentBytes: total("residentBytes"),
    };
  }

  close(): Promise<void> {
    return this.opened.close();
  }

  #open(maxNewTokens: number): Promise<ClientSession> {
    return openSession(this.opened, { config: this.#config, promptLength: this.ids.length, maxNewTokens });
  }
}

async function firstToken(session: ClientSession, { ids, opened }: Bench): Promise<void> {
  const result = await session.step(0, ids);
  if ("rows" in result) await opened.head!.head(result.rows);
}

async function plainRate(plain: MonolithicModel, ids: readonly number[], tokens: number): Promise<number> {
  const sequence = plain.begin();
  let { logits } = await sequence.extend(ids);
  const startedAt = performance.now();
  for (let count = 0; count < tokens; count++) {
    const best = logits!.data.reduce((top, value, at, all) => (value > all[top] ? at : top), 0);
    ({ logits } = await sequence.extend([best]));
  }
  return tokens / ((performance.now() - startedAt) / 1000);
}

/** CPU seconds of this process while `work` runs. */
async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
