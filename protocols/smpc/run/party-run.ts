/**
 * One party's walk over a plan: local work between rounds, one exchange a round.
 *
 * Functionality: from this party's shares of the inputs to its shares of the outputs, to which a share of zero is added.
 * Parties: this one and its n - 1 peers. Leaks: opened words X = x + r mod 2^k, r uniform mod 2^k and used once; nothing else.
 * Assumes: semi-honest parties; a batch that is used once (correlation-store.ts) from a dealer that no party is; ranges as in the plan.
 * Cost: plan-cost.ts. Error bound: the gates'. Reference: smpc.md, "Setting". Test: tests/protocols/smpc/plan.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { BatchStreams } from "../../../shares/stream-book.ts";
import type { ShareWords, Words } from "../../../shares/words.ts";
import { byLevel } from "../plan/by-level.ts";
import { dealtLayout, MASK, streamName, TAKEN, ZERO } from "../plan/dealt-layout.ts";
import { gateOf } from "../plan/gate-of.ts";
import { shareOf, type ValueId } from "../plan/value.ts";
import type { PartyWalk, PartyWire, PublicFactors, WordSource } from "../plan/gate.ts";
import { givenPart } from "../gates/give.ts";
import { maskedShare, sumMasked } from "../gates/open.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import { LastUses } from "../plan/last-uses.ts";
import { addZeroShare, type PairStreams } from "./zero-share.ts";

/** What a party has of a batch of correlations: its streams, and the explicit words if it is the last party. */
export interface PartyBatch {
  /** For people. */
  readonly batch: string;
  readonly streams: BatchStreams;
  readonly explicit: Uint8Array | null;
  /** Of every peer: output shares leave with a share of zero from them. */
  readonly pairs: PairStreams;
}

/** Sends `payload` to every other party and returns everyone's payload of the round by party (its own too). */
export type Exchange = (round: number, payload: Uint8Array) => Promise<readonly Uint8Array[]>;

/** A party's link to a client that evaluates gates. */
export interface PartyClient {
  /** Party 0: the takes of a level, `bytes` long. */
  receive(level: number, bytes: number): Promise<Uint8Array>;
  /** The gives of a level, of one of the groups. */
  send(level: number, payload: Uint8Array, group: number): Promise<void>;
  /** The rows are those of so many steps, one after the other, which are answered apart. */
  readonly groups: number;
  /** The other parties: of the seed that the client gave this one. */
  readonly streams: BatchStreams | null;
}

export interface PartySetting {
  readonly party: number;
  readonly parties: number;
  readonly factors: PublicFactors;
  readonly exchange: Exchange;
  /** The client's side of the party, where the client evaluates gates; absent: it evaluates none. */
  readonly client?: PartyClient;
  /** Rows that outlive the step. */
  readonly kept: Map<string, PartyWire | ShareWords>;
  /** Alters this party's mask of an opening. Only for tests, which must see that a fault in a mask is found. */
  readonly insecureMask?: (mask: Words, bits: number) => void;
}

/**
 * Runs a plan. `inputs`: this party's shares by name. Returns its output shares by name, canonical mod the output's bits.
 * Throws Error naming the input or the batch if something is missing or too short.
 */
export async function runParty(
  plan: Plan,
  setting: PartySetting,
  batch: PartyBatch,
  inputs: Readonly<Record<string, Words>>,
): Promise<Record<string, Words>> {
  const run = new PartyRun(plan, setting, batch);
  return run.all(inputs);
}

class PartyRun {
  readonly #plan: Plan;
  readonly #setting: PartySetting;
  readonly #batch: PartyBatch;
  readonly #values = new Map<ValueId, ShareWords | PartyWire>();
  readonly #uses: LastUses;
  readonly #outputs: Record<string, Words> = {};

  constructor(plan: Plan, setting: PartySetting, batch: PartyBatch) {
    this.#plan = plan;
    this.#setting = setting;
    this.#batch = batch;
    this.#uses = new LastUses(plan);
    const { totalBytes } = dealtLayout(plan);
    if (setting.party === setting.parties - 1 && (batch.explicit?.length ?? 0) !== totalBytes)
      throw new Error(`batch ${batch.batch}: expected ${totalBytes} dealt bytes, got ${batch.explicit?.length ?? 0}`);
    if (batch.pairs.size !== setting.parties - 1)
      throw new Error(
        `batch ${batch.batch}: expected streams shared with ${setting.parties - 1} peers, got ${batch.pairs.size}`,
      );
  }

  async all(inputs: Readonly<Record<string, Words>>): Promise<Record<string, Words>> {
    const { instructions, rounds } = this.#plan;
    const levels = byLevel(this.#plan);
    for (let level = 0; level <= rounds; level++) {
      const opens: number[] = [];
      const gives: number[] = [];
      await this.#take(level);
      for (const index of levels[level]) {
        const instruction = instructions[index];
        if (instruction.gate === "open") opens.push(index);
        else if (instruction.gate === "give") gives.push(index);
        else if (instruction.gate === "take") continue;
        else if (instruction.gate === "input") this.#input(instruction, inputs);
        else if (instruction.gate === "output") this.#output(instruction, index);
        else await gateOf(instruction).party(instruction, this.#walk(index));
        if (instruction.gate !== "open" && instruction.gate !== "give") this.#uses.release(index, this.#values);
      }
      if (gives.length > 0) await this.#give(level, gives);
      if (opens.length > 0) await this.#open(level, opens);
    }
    return this.#outputs;
  }

  #input({ out, name }: InstructionOf<"input">, inputs: Readonly<Record<string, Words>>): void {
    const { rows, columns } = this.#plan.values[out];
    const words = inputs[name];
    if (words?.length !== rows * columns)
      throw new Error(`input ${name}: expected ${rows * columns} words, got ${words?.length ?? "none"}`);
    this.#values.set(out, words as ShareWords);
  }

  #output({ x, name, bits }: InstructionOf<"output">, index: number): void {
    const words: Words = this.#share(x).slice();
    addZeroShare(words, bits, this.#setting.party, this.#batch.pairs, streamName(index, ZERO));
    this.#outputs[name] = words;
  }

  /** This party's shares of what the client gives in a level: expanded, or the rest, from its message. */
  async #take(level: number): Promise<void> {
    const { party, client } = this.#setting;
    const takes = byLevel(this.#plan)[level].flatMap((index): [number, InstructionOf<"take">][] => {
      const instruction = this.#plan.instructions[index];
      return instruction.gate === "take" ? [[index, instruction]] : [];
    });
    if (takes.length === 0) return;
    if (client === undefined) throw new Error("take: expected a link to the client, got none");
    const sizes = takes.map(([, { out }]) => {
      const { rows, columns, ringBits } = shareOf(this.#plan.values[out]);
      return { count: rows * columns, ringBits, bytes: Math.ceil((rows * columns * ringBits) / 8) };
    });
    const payload =
      party === 0
        ? await client.receive(
            level,
            sizes.reduce((sum, { bytes }) => sum + bytes, 0),
          )
        : null;
    let at = 0;
    takes.forEach(([index, { out }], which) => {
      const { count, ringBits, bytes } = sizes[which];
      const share: Words = new BigUint64Array(count);
      if (payload !== null) ring.unpack(share, payload.subarray(at, at + bytes), ringBits, 0);
      else client.streams!.stream(streamName(index, TAKEN)).fillWords(share, ringBits);
      at += bytes;
      this.#values.set(out, share as ShareWords);
    });
  }

  /** All gives of a level in one payload a group: each packed on its own, one after the other. */
  async #give(level: number, indices: readonly number[]): Promise<void> {
    const { party, client } = this.#setting;
    if (client === undefined) throw new Error("give: expected a link to the client, got none");
    const payloads: Uint8Array[][] = Array.from({ length: client.groups }, () => []);
    for (const index of indices) {
      const instruction = this.#plan.instructions[index] as InstructionOf<"give">;
      const share = this.#share(instruction.x);
      const length = share.length / client.groups;
      payloads.forEach((parts, group) => {
        const own = share.subarray(group * length, (group + 1) * length) as ShareWords;
        parts.push(givenPart(instruction, own, party));
      });
      this.#uses.release(index, this.#values);
    }
    await Promise.all(payloads.map((parts, group) => client.send(level, Buffer.concat(parts), group)));
  }

  /** All openings of a round in one payload: each packed on its own, one after the other. */
  async #open(round: number, indices: readonly number[]): Promise<void> {
    const opened = indices.map((index) => {
      const { x, out } = this.#plan.instructions[index] as InstructionOf<"open">;
      const { bits } = this.#plan.values[out] as { bits: number };
      const share = this.#share(x);
      const mask: Words = new BigUint64Array(share.length);
      this.#batch.streams.stream(streamName(index, MASK)).fillWords(mask, bits);
      this.#setting.insecureMask?.(mask, bits);
      const packed = ring.pack(maskedShare(share, mask as ShareWords, bits), bits);
      return { index, out, bits, length: share.length, mask: mask as ShareWords, packed };
    });
    const payload = new Uint8Array(opened.reduce((sum, { packed }) => sum + packed.length, 0));
    let at = 0;
    for (const { packed } of opened) {
      payload.set(packed, at);
      at += packed.length;
    }
    const all = await this.#setting.exchange(round, payload);
    at = 0;
    for (const { index, out, bits, length, mask, packed } of opened) {
      const parts = all.map((bytes, party) => {
        if (bytes.length !== payload.length)
          throw new Error(`round ${round}, party ${party}: expected ${payload.length} bytes, got ${bytes.length}`);
        const words: Words = new BigUint64Array(length);
        ring.unpack(words, bytes.subarray(at, at + packed.length), bits, 0);
        return words;
      });
      this.#values.set(out, { masked: sumMasked(parts, bits), mask });
      at += packed.length;
      this.#uses.release(index, this.#values);
    }
  }

  #share(id: ValueId): ShareWords {
    const value = this.#values.get(id);
    if (!(value instanceof BigUint64Array)) throw new Error(`value ${id}: expected a share, got ${describe(value)}`);
    return value;
  }

  #wire(id: ValueId): PartyWire {
    const value = this.#values.get(id);
    if (value === undefined || value instanceof BigUint64Array)
      throw new Error(`value ${id}: expected a wire, got ${describe(value)}`);
    return value;
  }

  #walk(index: number): PartyWalk {
    const { party, parties, factors, kept } = this.#setting;
    return {
      party,
      parties,
      factors,
      kept,
      info: (id) => this.#plan.values[id],
      share: (id) => this.#share(id),
      wire: (id) => this.#wire(id),
      setShare: (id, words) => this.#values.set(id, words as ShareWords),
      setWire: (id, wire) => this.#values.set(id, wire),
      dealt: (name) => this.#dealt(index, name),
    };
  }

  #dealt(index: number, name: string): WordSource {
    const place = dealtLayout(this.#plan).places[index].get(name);
    if (place === undefined) throw new Error(`instruction ${index}: expected a dealt array, got none called ${name}`);
    const { bits } = place;
    if (this.#setting.party < this.#setting.parties - 1) {
      const stream = this.#batch.streams.stream(streamName(index, name));
      return {
        next: (out) => stream.fillWords(out, bits),
        nextPacked: (count) => stream.packedWords(count, bits),
      };
    }
    const bytes = this.#batch.explicit!.subarray(place.byteOffset, place.byteOffset + place.byteLength);
    let bitOffset = 0;
    return {
      next(out) {
        ring.unpack(out, bytes, bits, bitOffset);
        bitOffset += out.length * bits;
      },
      nextPacked(count) {
        const packed = { bytes, bitOffset };
        bitOffset += count * bits;
        if (bitOffset > bytes.length * 8)
          throw new RangeError(`${name}: expected ${bitOffset} dealt bits, got ${bytes.length * 8}`);
        return packed;
      },
    };
  }
}

const describe = (value: unknown): string =>
  value === undefined ? "none" : Array.isArray(value) ? "words" : "the other kind";
