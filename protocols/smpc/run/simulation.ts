import { randomBytes } from "node:crypto";
import { Generator } from "../../../shares/generator.ts";
import { ring } from "../../../shares/ring.ts";
import type { ShareWords, Words } from "../../../shares/words.ts";
import { dealAll, type DealerKept } from "./dealer-run.ts";
import type { PartyWire, PublicFactors } from "../plan/gate.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import { runParty, type Exchange, type PartySetting } from "./party-run.ts";

/** What a simulated session counted. */
export interface SimulationCounts {
  /** Bytes of all openings, all parties summed. */
  readonly onlineBytes: number;
  /** Explicit words dealt to the last party. */
  readonly dealtBytes: number;
  readonly rounds: number;
}

/**
 * All parties and the dealer of a session in one process, without a network: for tests, for error measurements and for attacks on
 * views. Steps follow one another with kept rows, as in a session. Same code as the real parties, fresh masks in every run.
 */
export class Simulation {
  readonly #factors: PublicFactors;
  readonly #insecureMask: PartySetting["insecureMask"];
  readonly #seeds: readonly Uint8Array[];
  readonly #kept: readonly Map<string, PartyWire | ShareWords>[];
  readonly #dealerKept: DealerKept = new Map();
  /** Every opened payload, by party, round after round: what the network carries. */
  readonly opened: Uint8Array[][] = [];
  #steps = 0;

  /** `insecureMask`: see PartySetting; it alters the masks of all parties. */
  constructor(parties: number, factors: PublicFactors, insecureMask?: PartySetting["insecureMask"]) {
    this.#insecureMask = insecureMask;
    this.#factors = factors;
    this.#seeds = Array.from({ length: parties }, () => randomBytes(32));
    this.#kept = this.#seeds.map(() => new Map());
  }

  /** Runs one step. Inputs: real numbers by name, shared afresh. Returns the outputs as real numbers by name. */
  async run(
    plan: Plan,
    inputs: Readonly<Record<string, ArrayLike<number>>>,
  ): Promise<{ outputs: Record<string, Float64Array>; counts: SimulationCounts }> {
    const parties = this.#seeds.length;
    const batch = `step ${this.#steps++}`;
    const explicit = dealAll(plan, { batch, seeds: this.#seeds, kept: this.#dealerKept });
    const shared = shareInputs(plan, parties, inputs);
    let [onlineBytes, rounds] = [0, 0];
    const waiting: ((all: readonly Uint8Array[]) => void)[] = [];
    const parts: Uint8Array[] = Array.from({ length: parties }, () => new Uint8Array(0));
    const exchange =
      (party: number): Exchange =>
      (_round, payload) =>
        new Promise((resolve) => {
          waiting.push(resolve);
          parts[party] = payload;
          onlineBytes += payload.length * (parties - 1);
          if (waiting.length < parties) return;
          rounds++;
          const all = [...parts];
          this.opened.push(all);
          for (const each of waiting.splice(0)) each(all);
        });
    const results = await Promise.all(
      this.#seeds.map((seed, party) =>
        runParty(
          plan,
          {
            party,
            parties,
            factors: this.#factors,
            exchange: exchange(party),
            kept: this.#kept[party],
            insecureMask: this.#insecureMask,
          },
          { batch, seed, explicit: party === parties - 1 ? explicit : null },
          shared[party],
        ),
      ),
    );
    return {
      outputs: joinOutputs(plan, results),
      counts: { onlineBytes, dealtBytes: explicit.length, rounds },
    };
  }
}

function shareInputs(
  plan: Plan,
  parties: number,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Words>[] {
  const shared: Record<string, Words>[] = Array.from({ length: parties }, () => ({}));
  for (const instruction of plan.instructions) {
    if (instruction.gate !== "input") continue;
    const { name, out } = instruction;
    const rest: Words = new BigUint64Array(inputs[name].length);
    ring.encode(rest, inputs[name], plan.values[out].fracBits);
    for (let party = 0; party < parties - 1; party++) {
      const share: Words = new BigUint64Array(rest.length);
      new Generator(randomBytes(32), name).fillWords(share, 64);
      ring.subtract(rest, rest, share);
      shared[party][name] = share;
    }
    shared[parties - 1][name] = rest;
  }
  return shared;
}

/** The real numbers that output shares add up to, by name. */
export function joinOutputs(
  plan: Plan,
  shares: readonly Readonly<Record<string, Words>>[],
): Record<string, Float64Array> {
  const outputs: Record<string, Float64Array> = {};
  for (const { x, name, bits } of plan.instructions.filter(
    (instruction): instruction is InstructionOf<"output"> => instruction.gate === "output",
  )) {
    const sum: Words = new BigUint64Array(shares[0][name].length);
    for (const share of shares) ring.add(sum, sum, share[name]);
    outputs[name] = new Float64Array(sum.length);
    ring.decode(outputs[name], sum, bits, plan.values[x].fracBits);
  }
  return outputs;
}
