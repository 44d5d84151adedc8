/** Layers under SMPC beside the same layers in float64: bytes and rounds counted on the wire, time of each phase, error, memory. */
import { cpus, loadavg } from "node:os";
import type { Tensor } from "../../../layers/tensor.ts";
import { evaluateCost } from "../../../protocols/cost.ts";
import { Client } from "../../../protocols/fusion/client/client.ts";
import { takeSeedCost } from "../../../protocols/fusion/client/client-evaluation.ts";
import { runConfig } from "../../../protocols/fusion/config/run-config.ts";
import { nodeNames } from "../../../protocols/fusion/deployment/deployment.ts";
import { zeroSeedCost } from "../../../protocols/fusion/node/zero-seeds.ts";
import { segmentCosts, smpcCost } from "../../../protocols/fusion/record/expected-smpc-cost.ts";
import { prepareSession, type SessionModel } from "../../../protocols/fusion/session/prepare-session.ts";
import type { SessionDescription } from "../../../protocols/fusion/session/session-description.ts";
import { seedCost } from "../../../protocols/fusion/session/session-dealer.ts";
import type { PrecisionName } from "../../../protocols/smpc/lowering/precision.ts";
import type { TradeName } from "../../../protocols/smpc/lowering/trade.ts";
import { networkTotals, type NetworkTotals } from "../../../protocols/wire/counters.ts";
import { cascadePayloadBytes } from "./cascade-bytes.ts";
import type { PartyTimes } from "./online-clock.ts";
import { partiesInMemory, partyProcesses, type Between, type BenchParties } from "./parties.ts";
import type { SmpcBenchRecord } from "./record.ts";
import { modelReference, syntheticReference, type Reference, type Widths } from "./reference.ts";
import { median } from "../statistics.ts";
import { timedStep, type TimedStep } from "./timed-step.ts";
import { openLayers, type LayersToRun } from "./workload.ts";

export interface SmpcBenchOptions {
  readonly run: LayersToRun;
  /** File of the prompt, for a layer of a model. */
  readonly text?: string;
  /** Rows; of a text that is shorter, its tokens. */
  readonly n: number;
  readonly parties: number;
  /** Of all layers: smpc, delegated, or smpc with groups of gates at the client (protocols/fusion/session/layer-placement.ts). */
  readonly placement: string;
  readonly precision: PrecisionName;
  readonly trade: TradeName;
  /** Of made-up layers; a model's are its own. */
  readonly widths: Widths;
  readonly place: "processes" | "memory";
  /** Measured runs, and those before them, in which processes compile their hot code. */
  readonly rounds: number;
  readonly warmups: number;
  /** What lies between two parties' processes. */
  readonly between?: Between;
}

/** Runs the layers and says what they cost. Throws Error where what was counted isn't what was declared. */
export async function benchSmpc(options: SmpcBenchOptions, report: (doing: string) => void): Promise<SmpcBenchRecord> {
  const bench = await SmpcBench.open(options, report);
  try {
    for (let round = 0; round < options.warmups; round++) {
      report(`run ${round + 1} of ${options.warmups} before the measured ones`);
      await bench.once();
    }
    const runs: OneRun[] = [];
    for (let round = 0; round < options.rounds; round++) {
      report(`run ${round + 1} of ${options.rounds}`);
      runs.push(await bench.once());
    }
    return bench.record(runs);
  } finally {
    await bench.close();
  }
}

/** What one session of a bench took and gave. */
export interface OneRun extends Omit<TimedStep, "result"> {
  /** One-way messages between the client and parties that follow one another; checked by their number in each phase. */
  readonly clientMessages: number;
  /** CPU seconds. */
  readonly dealerSeconds: number;
  readonly maxAbsError: number;
  readonly meanAbsError: number;
  readonly failedRows: number;
  readonly totals: NetworkTotals;
}

/** Parties that are ready for any number of sessions, each with a batch of its own. */
export class SmpcBench {
  readonly #options: SmpcBenchOptions;
  readonly #reference: Reference;
  readonly #model: SessionModel;
  readonly #description: SessionDescription;
  readonly #network: BenchParties;
  readonly #client: Client;

  private constructor(
    options: SmpcBenchOptions,
    reference: Reference,
    model: SessionModel,
    description: SessionDescription,
    network: BenchParties,
  ) {
    this.#options = options;
    this.#reference = reference;
    this.#model = model;
    this.#description = description;
    this.#network = network;
    const input: Tensor = { data: reference.input, shape: [reference.rows, model.spec.width] };
    this.#client = new Client(network.client, model, nodeNames(0, 0, options.parties), {
      embedding: { embed: () => Promise.resolve(input) },
      dealerClock: cpuSeconds,
    });
  }

  /** Computes the reference, starts the parties and lets each lower the plan. The caller closes it. */
  static async open(options: SmpcBenchOptions, report: (doing: string) => void): Promise<SmpcBench> {
    const { run, text, n, parties, placement, precision, trade, place } = options;
    const model = await openLayers(run);
    const reference =
      run.kind === "synthetic"
        ? await syntheticReference(run, n, options.widths, report)
        : await modelReference(run, required(text), n, report);
    const description = await prepareSession(model, {
      config: runConfig.parse({
        alpha: 1,
        placement: `all=${placement}`,
        smpcPrecision: precision,
        smpcTrade: trade,
        parties,
      }),
      promptLength: reference.rows,
      output: "all",
      maxNewTokens: 0,
      ranges: { model: model.fingerprint, source: "the reference", sites: { ...reference.sites } },
      report,
    });
    report(`starting ${parties} parties`);
    const network =
      place === "memory"
        ? await partiesInMemory(model, parties)
        : await partyProcesses(run, description, options.between);
    return new SmpcBench(options, reference, model, description, network);
  }

  /**
   * One session: rows shared and a batch dealt, or answers ahead of time given, then the online phase, then rows handed over and compared.
   */
  async once(): Promise<OneRun> {
    const { parties } = this.#network;
    const session = await this.#client.open(this.#description);
    const ids = Array.from({ length: this.#reference.rows }, () => 0); // their rows are those of the reference
    const { answersAhead } = session.program!;
    const { result, ...timed } = await timedStep(parties, answersAhead, () => session.step(0, ids));
    if (!("rows" in result)) throw new Error("bench: expected rows from the parties, got a token");
    const reports = await session.close();
    const { output } = this.#reference;
    let [maxAbsError, sum] = [0, 0];
    for (const [at, value] of result.rows.data.entries()) {
      const error = Math.abs(value - output[at]);
      maxAbsError = Math.max(maxAbsError, error);
      sum += error;
    }
    const snapshots = [...reports.map(({ counters }) => counters), this.#network.client.counters.snapshot()];
    const totals = networkTotals(snapshots, session.number);
    const planned = segmentCosts(session.program!, parties.length);
    const declared = smpcCost(this.#description, session.schedule, planned, 1);
    checkDeclared(totals, declared, parties.length);
    return {
      ...timed,
      clientMessages: declared.take.rounds,
      dealerSeconds: session.dealerSeconds,
      maxAbsError,
      meanAbsError: sum / output.length,
      failedRows: new Set(session.failedRows.map(({ position }) => position)).size,
      totals,
    };
  }

  /** The record of some runs. */
  record(runs: readonly OneRun[]): SmpcBenchRecord {
    const { run, parties, placement, precision, trade, place, widths } = this.#options;
    const { rows, sites, output } = this.#reference;
    const [{ totals, clientMessages }] = runs;
    const { phases } = totals;
    const seeds = [seedCost, zeroSeedCost, ...(clientMessages > 0 ? [takeSeedCost] : [])];
    const seedBytes = seeds.reduce((sum, { payloadBytes }) => sum + evaluateCost(payloadBytes, { n: parties }), 0);
    const seconds = runs.map((each) => each.seconds);
    const bytesOf = (phase: string): number => phases[phase]?.payloadBytes ?? 0;
    const byParty = <T>(of: (times: PartyTimes[]) => T): T[] =>
      Array.from({ length: parties }, (_, party) => of(runs.map(({ times }) => times[party])));
    return {
      machine: { cpu: cpus()[0].model, cores: cpus().length, node: process.version, loadAverage: loadavg()[0] },
      shape: this.#model.name,
      n: rows,
      layers: this.#model.spec.layers,
      parties,
      place,
      placement,
      precision,
      trade,
      widths: run.kind === "synthetic" ? widths : "observed",
      onlineBytes: bytesOf("online"),
      takenBytes: bytesOf("take"),
      givenBytes: bytesOf("give"),
      aheadBytes: bytesOf("ahead"),
      dealtBytes: phases.deal.payloadBytes - seedBytes,
      rounds: openings(phases, parties),
      clientMessages,
      framingBytes: ["online", "take", "give"].reduce((sum, phase) => sum + (phases[phase]?.framingBytes ?? 0), 0),
      inputBytes: bytesOf("share"),
      outputBytes: bytesOf("handover"),
      runs: runs.length,
      seconds: median(seconds),
      secondsOfRuns: seconds,
      partyCpuSeconds: byParty((times) => median(times.map((each) => each.cpuSeconds))),
      clientCpuSeconds: place === "memory" ? null : median(runs.map((each) => each.clientCpuSeconds)),
      dealerSeconds: median(runs.map((each) => each.dealerSeconds)),
      maxAbsError: Math.max(...runs.map((each) => each.maxAbsError)),
      meanAbsError: runs.reduce((sum, each) => sum + each.meanAbsError, 0) / runs.length,
      maxAbsOutput: output.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      ranges: Object.values(sites).every(({ range }) => range === "certified") ? "certified" : "calibrated",
      residentBytes: byParty((times) => Math.max(...times.map((each) => each.residentBytes))),
      clientResidentBytes: 1024 * process.resourceUsage().maxRSS,
      failedRows: Math.max(...runs.map((each) => each.failedRows)),
      cascadePayloadBytes: cascadePayloadBytes(this.#model, rows),
    };
  }

  close(): Promise<void> {
    return this.#network.close();
  }
}

/** Throws Error where a session's traffic isn't what its plan declares. */
function checkDeclared({ phases }: NetworkTotals, declared: ReturnType<typeof smpcCost>, parties: number): void {
  for (const [phase, { payloadBytes, messages }] of Object.entries(declared)) {
    // A phase in which nothing is sent is not among those that were counted.
    const counted = phases[phase] ?? { payloadBytes: 0, messages: 0 };
    for (const [what, got, expected] of [
      ["bytes", counted.payloadBytes, payloadBytes],
      ["messages", counted.messages, messages],
    ] as const)
      if (got !== expected)
        throw new Error(`${phase} ${what}: expected ${expected} by the plan's declared cost, got ${got}`);
  }
  const rounds = openings(phases, parties);
  if (rounds !== declared.online.rounds)
    throw new Error(`rounds: expected ${declared.online.rounds} by the plan's declared cost, got ${rounds}`);
}

/** Rounds among the parties: each is one message from every party to every other. */
const openings = (phases: NetworkTotals["phases"], parties: number): number =>
  (phases.online?.messages ?? 0) / (parties * (parties - 1));

/** CPU seconds of this process, user and system. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function required(text: string | undefined): string {
  if (text === undefined) throw new Error("text: expected a file with the prompt for a model's layer, got none");
  return text;
}
