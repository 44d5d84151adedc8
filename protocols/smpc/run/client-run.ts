/**
 * The client's walk over a plan in which it evaluates gates.
 *
 * Functionality: from its rows to what the plan is for: before a level it gets what the parties gave in the one before, evaluates what
 *   can be evaluated, and gives party 0 what is taken in this level, less the shares that the others expand from their seeds.
 * Parties: the client, the n parties. Leaks: to party 0 uniform words, to the others nothing (they hold a seed).
 * Assumes: seeds that are of this session alone and streams that are drawn once; not all parties together.
 * Cost: plan-cost.ts. Error bound: the gates'. Reference: Slalom, arXiv 1806.03287, with a second server in place of a trusted one.
 * Test: tests/protocols/smpc/delegated-models.test.ts
 */
import { ring } from "../../../shares/ring.ts";
import type { BatchStreams } from "../../../shares/stream-book.ts";
import type { Words } from "../../../shares/words.ts";
import { byLevel } from "../plan/by-level.ts";
import { streamName, TAKEN } from "../plan/dealt-layout.ts";
import { gateOf } from "../plan/gate-of.ts";
import { productGroups, type ProductChecks } from "../check/product-checks.ts";
import { droppedAt, givenBytes, joinedTops, topsOf, unscaled } from "../gates/give.ts";
import { takenWords } from "../gates/take.ts";
import type { ClientWalk } from "../plan/gate.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import { LastUses } from "../plan/last-uses.ts";
import { shareOf, type ValueId } from "../plan/value.ts";
import type { ClientValues } from "./client-values.ts";

/** The client's links to the parties in one batch. */
export interface ClientLinks {
  /** Takes of a level, to party 0. */
  send(level: number, payload: Uint8Array): Promise<void>;
  /** Gives of a level from a party, `bytes` long. */
  receive(level: number, party: number, bytes: number): Promise<Uint8Array>;
}

export interface ClientSetting {
  readonly parties: number;
  readonly links: ClientLinks;
  /** Streams of parties 1 .. n-1, in their order: of the seeds that the client gave them. */
  readonly streams: readonly BatchStreams[];
  /** Of delegated products; null: parties are believed. */
  readonly checks: Pick<ProductChecks, "of"> | null;
}

/** A party answered what no honest party does: products by other matrices, of other rows, or of an older step. */
export class WrongAnswerError extends Error {
  override readonly name = "WrongAnswerError";
  readonly party: number;

  constructor(party: number, row: number, weights: readonly string[]) {
    super(
      `party ${party}: expected the products of row ${row} with ${weights.join(", ")}, got others; it computes wrong or cheats, and the session ends`,
    );
    this.party = party;
  }
}

/** Runs the client's part of a plan: its outputs by name, [rows * columns]. Throws what the links throw. */
export async function runClient(
  plan: Plan,
  setting: ClientSetting,
  values: ClientValues,
): Promise<Record<string, Float64Array>> {
  return new ClientRun(plan, setting, values).all();
}

/** What a party gives by level: its bytes. */
export function givenByLevel({ instructions, levels, values }: Plan, party: number): ReadonlyMap<number, number> {
  const sizes = new Map<number, number>();
  for (const [index, instruction] of instructions.entries()) {
    if (instruction.gate !== "give") continue;
    const { rows, columns } = values[instruction.out];
    const bytes = givenBytes(instruction, rows * columns, party);
    sizes.set(levels[index], (sizes.get(levels[index]) ?? 0) + bytes);
  }
  return sizes;
}

class ClientRun {
  readonly #plan: Plan;
  readonly #setting: ClientSetting;
  readonly #client: ClientValues;
  readonly #values = new Map<ValueId, Float64Array>();
  /** What every party has of the rows that delegated products are asked for, until these are checked. */
  readonly #sent = new Map<ValueId, readonly Words[]>();
  readonly #uses: LastUses;
  readonly #outputs: Record<string, Float64Array> = {};
  readonly #walk: ClientWalk;

  constructor(plan: Plan, setting: ClientSetting, client: ClientValues) {
    this.#plan = plan;
    this.#setting = setting;
    this.#client = client;
    this.#uses = new LastUses(plan);
    this.#walk = {
      info: (id) => plan.values[id],
      model: client.model,
      keptReals: client.kept,
      real: (id) => this.#real(id),
      setReal: (id, numbers) => this.#values.set(id, numbers),
    };
  }

  async all(): Promise<Record<string, Float64Array>> {
    const { rounds } = this.#plan;
    for (let level = 0; level <= rounds; level++) {
      if (level > 0) await this.#receive(level - 1);
      const taken: number[] = [];
      for (const [index, instruction] of this.#at(level)) {
        if (instruction.gate === "take") taken.push(index);
        else if (instruction.gate === "client-input") this.#input(instruction);
        else if (instruction.gate === "client-output") this.#outputs[instruction.name] = this.#real(instruction.x);
        else gateOf(instruction).client?.(instruction, this.#walk);
      }
      if (taken.length > 0) await this.#send(level, taken);
      for (const [index, { gate }] of this.#at(level)) if (gate !== "give") this.#uses.release(index, this.#values);
    }
    return this.#outputs;
  }

  #at(level: number): [number, Plan["instructions"][number]][] {
    return byLevel(this.#plan)[level].map((index) => [index, this.#plan.instructions[index]]);
  }

  #input({ out, name }: InstructionOf<"client-input">): void {
    const { rows, columns } = this.#plan.values[out];
    const numbers = this.#client.inputs[name];
    if (numbers?.length !== rows * columns)
      throw new Error(`input ${name}: expected ${rows * columns} numbers, got ${numbers?.length ?? "none"}`);
    this.#values.set(out, numbers);
  }

  /** All takes of a level in one payload: each packed on its own, one after the other. */
  async #send(level: number, indices: readonly number[]): Promise<void> {
    const packed = indices.map((index) => {
      const instruction = this.#plan.instructions[index] as InstructionOf<"take">;
      const { ringBits } = shareOf(this.#plan.values[instruction.out]);
      const words = takenWords(instruction, this.#walk);
      const shares = this.#setting.streams.map((streams) => {
        const share: Words = new BigUint64Array(words.length);
        streams.stream(streamName(index, TAKEN)).fillWords(share, ringBits);
        ring.subtract(words, words, share);
        return share;
      });
      if (this.#setting.checks !== null && instruction.normalised) this.#sent.set(instruction.out, [words, ...shares]);
      return ring.pack(words, ringBits);
    });
    await this.#setting.links.send(level, Buffer.concat(packed));
  }

  /** All gives of a level: a payload a party, each give packed on its own. */
  async #receive(level: number): Promise<void> {
    const gives = this.#at(level).filter((entry): entry is [number, InstructionOf<"give">] => entry[1].gate === "give");
    if (gives.length === 0) return;
    const parties = Array.from({ length: this.#setting.parties }, (_, party) => party);
    const sizes = parties.map((party) => gives.map(([, give]) => givenBytes(give, this.#count(give), party)));
    const payloads = await Promise.all(
      parties.map((party) =>
        this.#setting.links.receive(
          level,
          party,
          sizes[party].reduce((a, b) => a + b, 0),
        ),
      ),
    );
    const at = parties.map(() => 0);
    const tops = new Map(
      gives.map(([, give], which) => [
        give,
        payloads.map((bytes, party) => {
          const part = bytes.subarray(at[party], (at[party] += sizes[party][which]));
          return topsOf(give, part, this.#count(give), party);
        }),
      ]),
    );
    await this.#check(tops);
    for (const [index, give] of gives) {
      const { fracBits } = shareOf(this.#plan.values[give.x]);
      const numbers = joinedTops(give, tops.get(give)!, fracBits);
      unscaled(give, numbers, this.#walk);
      this.#values.set(give.out, numbers);
      this.#uses.release(index, this.#values);
    }
  }

  /** Throws WrongAnswerError for a party whose answers no honest one gives. */
  async #check(tops: ReadonlyMap<InstructionOf<"give">, readonly Words[]>): Promise<void> {
    const { checks, parties } = this.#setting;
    if (checks === null) return;
    for (const { taken, products, gives } of productGroups(this.#plan)) {
      if (!tops.has(gives[0])) continue;
      const check = await checks.of(products);
      const { rows } = this.#plan.values[taken];
      const sent = this.#sent.get(taken)!;
      this.#sent.delete(taken);
      for (let party = 0; party < parties; party++) {
        const answers = {
          x: sent[party],
          tops: gives.map((give) => tops.get(give)![party]),
          rows,
          ringBits: gives[0].bits,
          droppedBits: droppedAt(gives[0], party),
        };
        const row = await check.faultyRow(answers);
        if (row !== null)
          throw new WrongAnswerError(
            party,
            row,
            products.map(({ matrix }) => matrix.weight),
          );
      }
    }
  }

  #count({ out }: InstructionOf<"give">): number {
    const { rows, columns } = this.#plan.values[out];
    return rows * columns;
  }

  #real(id: ValueId): Float64Array {
    const numbers = this.#values.get(id);
    if (numbers === undefined) throw new Error(`value ${id}: expected the client's numbers, got none`);
    return numbers;
  }
}
