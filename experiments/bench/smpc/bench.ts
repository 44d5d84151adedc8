/** Layers under SMPC beside the same layers in float64: bytes and rounds counted on the wire, time of each phase, error, memory. */
import { createHash, randomBytes } from "node:crypto";
import { cpus, loadavg } from "node:os";
import { setImmediate } from "node:timers/promises";
import { smpcName } from "../../../protocols/cascade/party-name.ts";
import { evaluateCost } from "../../../protocols/cost.ts";
import { zeroSeedCost } from "../../../protocols/fusion/node/zero-seeds.ts";
import { dealPieces } from "../../../protocols/smpc/run/dealer-run.ts";
import { handOverBytes, joinRows, type JoinedRows } from "../../../protocols/smpc/run/hand-over.ts";
import type { Plan } from "../../../protocols/smpc/plan/instruction.ts";
import { PLAN_OUTPUT } from "../../../protocols/smpc/lowering/lower-layers.ts";
import type { PrecisionName } from "../../../protocols/smpc/lowering/precision.ts";
import type { SegmentFormat } from "../../../protocols/smpc/plan/placement.ts";
import { planCost } from "../../../protocols/smpc/plan/plan-cost.ts";
import { planFormat } from "../../../protocols/smpc/plan/plan-format.ts";
import { BatchPieces, pieceSizes } from "../../../protocols/smpc/run/batch-pieces.ts";
import { SEED_BYTES, shareRows } from "../../../protocols/smpc/run/share-rows.ts";
import type { MessageKey } from "../../../protocols/wire/endpoint.ts";
import { networkTotals, type NetworkTotals } from "../../../protocols/wire/counters.ts";
import { benchBatch, benchKey, type PartyTimes } from "./bench-party.ts";
import { cascadePayloadBytes } from "./cascade-bytes.ts";
import { partiesInMemory, partyProcesses, type Between, type BenchParties } from "./parties.ts";
import type { SmpcBenchRecord } from "./record.ts";
import { modelReference, syntheticReference, type Reference, type Widths } from "./reference.ts";
import { median } from "../statistics.ts";
import { openLayers, planOf, type LayersToRun, type SmpcTask } from "./workload.ts";
import { StreamBook } from "../../../shares/stream-book.ts";

export interface SmpcBenchOptions {
  readonly run: LayersToRun;
  /** File of the prompt, for a layer of a model. */
  readonly text?: string;
  /** Rows; of a text that is shorter, its tokens. */
  readonly n: number;
  readonly parties: number;
  readonly precision: PrecisionName;
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
    return await bench.record(runs);
  } finally {
    await bench.close();
  }
}

/** What one session of a bench took and gave. */
export interface OneRun {
  readonly session: number;
  readonly times: readonly PartyTimes[];
  readonly dealerSeconds: number;
  readonly maxAbsError: number;
  readonly meanAbsError: number;
  readonly failedRows: number;
}

/** Parties that are ready for any number of runs, each with a batch of its own. */
export class SmpcBench {
  readonly #options: SmpcBenchOptions;
  readonly #reference: Reference;
  readonly #plan: Plan;
  readonly #format: SegmentFormat;
  readonly #network: BenchParties;
  /** Of the shape or model, and the bytes of its Cascade pass. */
  readonly #name: string;
  readonly #cascadePayloadBytes: number;

  private constructor(
    options: SmpcBenchOptions,
    reference: Reference,
    plan: Plan,
    network: BenchParties,
    { name, cascade }: { name: string; cascade: number },
  ) {
    this.#options = options;
    this.#reference = reference;
    this.#plan = plan;
    this.#format = planFormat(plan, reference.rows);
    this.#network = network;
    this.#name = name;
    this.#cascadePayloadBytes = cascade;
  }

  /** Computes the reference, starts the parties and lets each lower the plan; they must have made the same. The caller closes it. */
  static async open(options: SmpcBenchOptions, report: (doing: string) => void): Promise<SmpcBench> {
    const { run, text, n, parties, precision, place } = options;
    const reference =
      run.kind === "synthetic"
        ? await syntheticReference(run, n, options.widths, report)
        : await modelReference(run, required(text), n, report);
    const { rows, ranges } = reference;
    const task: SmpcTask = { run, rows, precision, ranges };
    report("lowering");
    const layers = await openLayers(run);
    const plan = planOf(layers, task);
    const cascade = cascadePayloadBytes(layers, rows);
    report(`starting ${parties} parties`);
    const network = place === "memory" ? partiesInMemory(parties) : await partyProcesses(parties, options.between);
    try {
      const hashes = await Promise.all(network.parties.map((party) => party.prepare(task)));
      const ours = createHash("sha256").update(JSON.stringify(plan)).digest("hex");
      for (const [party, { plan: theirs, factors }] of hashes.entries())
        if (theirs !== ours || factors !== hashes[0].factors)
          throw new Error(`party ${party}: expected the plan and public integers of the others, got different ones`);
      return new SmpcBench(options, reference, plan, network, { name: layers.name, cascade });
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** One session: rows shared and a batch dealt, then the online phase, then rows handed over and compared. */
  async once(): Promise<OneRun> {
    const session = randomBytes(4).readUInt32LE();
    const { client, parties } = this.#network;
    client.openSession(session, {});
    await Promise.all(parties.map((party) => party.open(session)));
    const [dealerSeconds] = await Promise.all([this.#give(session), ...parties.map((party) => party.receive(session))]);
    const times = await Promise.all(parties.map((party) => party.compute(session)));
    const [joined] = await Promise.all([this.#collect(session), ...parties.map((party) => party.handOver(session))]);
    client.closeSession(session, null);
    const { output } = this.#reference;
    let [maxAbsError, sum] = [0, 0];
    for (const [at, value] of joined.outputs[PLAN_OUTPUT].entries()) {
      const error = Math.abs(value - output[at]);
      maxAbsError = Math.max(maxAbsError, error);
      sum += error;
    }
    const failedRows = new Set(joined.failed.map(({ position }) => position)).size;
    return { session, times, dealerSeconds, maxAbsError, meanAbsError: sum / output.length, failedRows };
  }

  /** The record of some runs, whose traffic must be what the plan declares. */
  async record(runs: readonly OneRun[]): Promise<SmpcBenchRecord> {
    const { run, parties, precision, place, widths } = this.#options;
    const { rows, ranges, output } = this.#reference;
    const figures = await Promise.all(this.#network.parties.map((party) => party.figures()));
    const snapshots = [...figures.map(({ counters }) => counters), this.#network.client.counters.snapshot()];
    const totals = runs.map(({ session }) => networkTotals(snapshots, session));
    for (const total of totals) this.#checkDeclared(total);
    const { phases } = totals[0];
    const seconds = runs.map(({ times }) => Math.max(...times.map((each) => each.seconds)));
    return {
      machine: { cpu: cpus()[0].model, cores: cpus().length, node: process.version, loadAverage: loadavg()[0] },
      shape: run.kind === "synthetic" ? run.shape : `layer ${run.layer} of ${this.#name}`,
      n: rows,
      layers: run.kind === "synthetic" ? run.layers : 1,
      parties,
      place,
      precision,
      widths: run.kind === "synthetic" ? widths : "observed",
      onlineBytes: phases.online.payloadBytes,
      dealtBytes: phases.deal.payloadBytes - seedBytes(parties),
      rounds: phases.online.messages / (parties * (parties - 1)),
      framingBytes: phases.online.framingBytes,
      inputBytes: phases.share.payloadBytes,
      outputBytes: phases.handover.payloadBytes,
      runs: runs.length,
      seconds: median(seconds),
      secondsOfRuns: seconds,
      partyCpuSeconds: this.#network.parties.map((_, party) =>
        median(runs.map(({ times }) => times[party].cpuSeconds)),
      ),
      dealerSeconds: median(runs.map((each) => each.dealerSeconds)),
      maxAbsError: Math.max(...runs.map((each) => each.maxAbsError)),
      meanAbsError: runs.reduce((sum, each) => sum + each.meanAbsError, 0) / runs.length,
      maxAbsOutput: output.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
      ranges: Object.values(ranges).every(({ range }) => range === "certified") ? "certified" : "calibrated",
      residentBytes: figures.map(({ residentBytes }) => residentBytes),
      clientResidentBytes: 1024 * process.resourceUsage().maxRSS,
      failedRows: Math.max(...runs.map((each) => each.failedRows)),
      cascadePayloadBytes: this.#cascadePayloadBytes,
    };
  }

  close(): Promise<void> {
    return this.#network.close();
  }

  #checkDeclared({ phases }: NetworkTotals): void {
    const { parties } = this.#options;
    const declared = planCost(this.#plan, parties);
    const pairs = [
      ["online bytes", phases.online.payloadBytes, declared.onlineBytes],
      ["online messages", phases.online.messages, declared.messages],
      ["rounds", phases.online.messages / (parties * (parties - 1)), declared.total.rounds],
      ["dealt bytes", phases.deal.payloadBytes - seedBytes(parties), declared.dealtBytes],
    ] as const;
    for (const [what, counted, expected] of pairs)
      if (counted !== expected)
        throw new Error(`${what}: expected ${expected} by the plan's declared cost, got ${counted}`);
  }

  /** Seeds, shares of the rows and the batch to the parties; CPU seconds of the dealer alone. */
  async #give(session: number): Promise<number> {
    const { parties } = this.#options;
    const seeds = Array.from({ length: parties }, () => randomBytes(SEED_BYTES));
    const messages = shareRows(this.#reference.input, parties, this.#format);
    for (const [party, seed] of seeds.entries()) {
      await this.#send(party, benchKey(session, "seed"), seed);
      await this.#send(party, benchKey(session, "shares"), messages[party]);
    }
    let microseconds = 0;
    const streams = seeds.map((seed) => new StreamBook(seed).batch(benchBatch(session)));
    const pieces = dealPieces(this.#plan, { streams, kept: new Map() })[Symbol.iterator]();
    const batch = new BatchPieces(pieceSizes(planCost(this.#plan, parties).dealtBytes));
    for (;;) {
      const before = process.cpuUsage();
      const { value, done } = pieces.next();
      const { user, system } = process.cpuUsage(before);
      microseconds += user + system;
      if (done === true) return microseconds / 1e6;
      for (const [part, data] of batch.add(value))
        await this.#send(parties - 1, benchKey(session, "dealt", part), data);
      await setImmediate();
    }
  }

  async #collect(session: number): Promise<JoinedRows> {
    const { rows } = this.#reference;
    const bytes = handOverBytes(rows, this.#format);
    const messages = await Promise.all(
      this.#network.parties.map(async (_, party) => {
        const expect = { shape: [1, bytes], word: "uint8", deadlineMs: 600_000 } as const;
        const { data } = await this.#network.client.receive(smpcName(party), benchKey(session, "handover"), expect);
        return data as Uint8Array;
      }),
    );
    return joinRows(
      messages,
      Array.from({ length: rows }, (_, row) => row),
      this.#format,
    );
  }

  #send(party: number, key: MessageKey, data: Uint8Array): Promise<void> {
    return this.#network.client.send(smpcName(party), key, { data, shape: [1, data.length] });
  }
}

/** Seeds from the dealer and between the parties. */
const seedBytes = (parties: number): number =>
  SEED_BYTES * parties + evaluateCost(zeroSeedCost.payloadBytes, { n: parties });

function required(text: string | undefined): string {
  if (text === undefined) throw new Error("text: expected a file with the prompt for a model's layer, got none");
  return text;
}
