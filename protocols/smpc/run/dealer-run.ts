/**
 * The dealer's walk over a plan: masks in place of messages. It never sees a word that depends on the prompt.
 *
 * Functionality: from one seed a party to the explicit words of the last party. Parties: the dealer; in a session the client (which owns
 *   the prompt, so that this adds no trust) or a process of its own. Leaks: nothing to the dealer; to each party uniform words.
 * Assumes: the dealer is not a compute party and does not collude with one: with any party's seeds and the opened words it reads all.
 * Cost: dealt bits of plan-cost.ts. Error bound: the gates'. Reference: smpc.md, "Setting". Test: tests/protocols/smpc/plan.test.ts
 */
import { packDifference } from "../../../shares/packed-difference.ts";
import { ring } from "../../../shares/ring.ts";
import type { BatchStreams, WordStream } from "../../../shares/stream-book.ts";
import type { MaskWords, Words } from "../../../shares/words.ts";
import { byLevel } from "../plan/by-level.ts";
import { dealtLayout, MASK, streamName, type DealtPlace } from "../plan/dealt-layout.ts";
import { gateOf } from "../plan/gate-of.ts";
import type { ValueId, WireInfo } from "../plan/value.ts";
import type { DealerWalk } from "../plan/gate.ts";
import type { InstructionOf, Plan } from "../plan/instruction.ts";
import { LastUses } from "../plan/last-uses.ts";

/** What the dealer keeps for later steps of a session: masks of K and V rows. */
export type DealerKept = Map<string, MaskWords>;

export interface Dealing {
  /** One a party: those that it draws from its own seed for this batch. */
  readonly streams: readonly BatchStreams[];
  readonly kept: DealerKept;
}

/** The explicit words of the last party, laid out as dealtLayout says, piece by piece; a caller may do other things in between. */
export function dealPieces(plan: Plan, dealing: Dealing): Iterable<Uint8Array> {
  return new DealerRun(plan, dealing).pieces();
}

/** All explicit words of a plan at once. */
export function dealAll(plan: Plan, dealing: Dealing): Uint8Array {
  const explicit = new Uint8Array(dealtLayout(plan).totalBytes);
  let at = 0;
  for (const bytes of dealPieces(plan, dealing)) {
    explicit.set(bytes, at);
    at += bytes.length;
  }
  return explicit;
}

class DealerRun {
  readonly #plan: Plan;
  readonly #dealing: Dealing;
  readonly #uses: LastUses;
  /** Canonical masks, and for opened wires what their shares' sum has above. */
  readonly #masks = new Map<ValueId, MaskWords>();
  readonly #carries = new Map<ValueId, Words>();

  constructor(plan: Plan, dealing: Dealing) {
    this.#plan = plan;
    this.#dealing = dealing;
    this.#uses = new LastUses(plan);
  }

  *pieces(): Iterable<Uint8Array> {
    const { instructions, rounds } = this.#plan;
    const levels = byLevel(this.#plan);
    // In the order of the parties' walk, because a wire is read after its opening; what is dealt leaves in the order of the layout.
    const pieces = new Map<number, Uint8Array>();
    let next = 0;
    for (let level = 0; level <= rounds; level++)
      for (const opens of [false, true])
        for (const index of levels[level]) {
          const instruction = instructions[index];
          if ((instruction.gate === "open") !== opens) continue;
          if (instruction.gate === "open") this.#open(instruction, index);
          else {
            const dealt = this.#dealt(index);
            gateOf(instruction).dealer(instruction, dealt.walk);
            pieces.set(index, dealt.finish());
          }
          this.#uses.release(index, this.#masks);
          this.#uses.release(index, this.#carries);
          if (instruction.gate === "open") pieces.set(index, new Uint8Array(0));
          for (; pieces.has(next); next++) {
            yield pieces.get(next)!;
            pieces.delete(next);
          }
        }
  }

  #open({ out }: InstructionOf<"open">, index: number): void {
    const { rows, columns, bits } = this.#plan.values[out] as WireInfo;
    const sum: Words = new BigUint64Array(rows * columns);
    const share: Words = new BigUint64Array(rows * columns);
    for (const streams of this.#dealing.streams) {
      streams.stream(streamName(index, MASK)).fillWords(share, bits);
      ring.add(sum, sum, share);
    }
    const carry: Words = new BigUint64Array(sum.length);
    ring.shiftRight(carry, sum, 64, bits, 0n);
    ring.reduce(sum, sum, bits);
    this.#masks.set(out, sum as MaskWords);
    this.#carries.set(out, carry);
  }

  #dealt(index: number): { walk: DealerWalk; finish: () => Uint8Array } {
    const arrays = new Map(
      [...dealtLayout(this.#plan).places[index]].map(([name, place]) => [
        name,
        new DealtArray(place, this.#dealing, index),
      ]),
    );
    const walk: DealerWalk = {
      parties: this.#dealing.streams.length,
      kept: this.#dealing.kept,
      info: (id) => this.#plan.values[id],
      mask: (id) => present(this.#masks.get(id), `mask of value ${id}`),
      carry: (id) => present(this.#carries.get(id), `carry of value ${id}: a wire that was opened`),
      setMask: (id, words) => this.#masks.set(id, words as MaskWords),
      deal: (name, values) => present(arrays.get(name), `dealt array ${name}`).add(values),
    };
    return { walk, finish: () => concatenateBytes([...arrays.values()].map((array) => array.finish())) };
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`dealer: expected ${what}, got none`);
  return value;
}

/** The explicit words of one array, piece by piece: value minus what the other parties draw. */
class DealtArray {
  readonly #place: DealtPlace;
  readonly #streams: readonly WordStream[];
  readonly #bytes: Uint8Array;
  #count = 0;

  constructor(place: DealtPlace, { streams }: Dealing, index: number) {
    this.#place = place;
    this.#streams = streams.slice(0, -1).map((each) => each.stream(streamName(index, place.name)));
    this.#bytes = new Uint8Array(place.byteLength);
  }

  add(values: Words): void {
    const { bits, name, count } = this.#place;
    const bitOffset = this.#count * bits;
    if (bitOffset % 8 !== 0)
      throw new Error(`dealt ${name}: expected pieces of whole bytes, got ${bitOffset} bits before`);
    this.#count += values.length;
    if (this.#count > count) throw new RangeError(`dealt ${name}: expected ${count} words, got ${this.#count} or more`);
    const shares = this.#streams.map((stream) => stream.packedWords(values.length, bits));
    packDifference(this.#bytes.subarray(bitOffset / 8), values, shares, bits);
  }

  finish(): Uint8Array {
    const { name, count } = this.#place;
    if (this.#count !== count) throw new Error(`dealt ${name}: expected ${count} words, got ${this.#count}`);
    return this.#bytes;
  }
}

function concatenateBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
