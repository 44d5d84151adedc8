/**
 * What the walks of the parties and of the dealer over one plan have in common: every wire is one public word at all parties, whose mask
 * is the one that the dealer has; every dealt word is read once by every party. It listens between the gates and whoever runs them.
 */
import assert from "node:assert/strict";
import { dealtLayout } from "../../../protocols/smpc/plan/dealt-layout.ts";
import type { DealerWalk, Gate, PartyWalk, PartyWire, WordSource } from "../../../protocols/smpc/plan/gate.ts";
import { gates } from "../../../protocols/smpc/gates/registry.ts";
import type { Instruction, Plan } from "../../../protocols/smpc/plan/instruction.ts";
import type { ValueId, WireInfo } from "../../../protocols/smpc/plan/value.ts";
import type { Words } from "../../../shares/words.ts";

type Listened = { -readonly [K in "party" | "dealer"]: Gate<Instruction>[K] };

export class RecordedWalks {
  /** By value id, then party. */
  readonly #wires = new Map<ValueId, PartyWire[]>();
  readonly #masks = new Map<ValueId, Words>();
  /** Words read, by party, then instruction and array. */
  readonly #read: Map<string, number>[] = [];
  readonly #restore: (() => void)[] = [];

  constructor() {
    for (const each of Object.values(gates)) {
      // Every gate is run on its own instructions only: listening needs no more of their types.
      const gate = each as unknown as Listened;
      const before = { ...gate };
      gate.party = (instruction, walk) => before.party(instruction, this.#party(instruction, walk));
      gate.dealer = (instruction, walk) => before.dealer(instruction, this.#dealer(walk));
      this.#restore.push(() => Object.assign(gate, before));
    }
  }

  /** The gates are as they were. */
  close(): void {
    for (const restore of this.#restore) restore();
  }

  /** Compares what was heard while the plan ran once, and forgets it. Returns how many wires there were. Throws AssertionError. */
  check(plan: Plan, parties: number): number {
    for (const [id, wires] of this.#wires) {
      const { bits } = plan.values[id] as WireInfo;
      const dealt = this.#masks.get(id);
      assert.ok(dealt !== undefined, `wire ${id}: expected a mask at the dealer, got none`);
      assert.equal(Object.keys(wires).length, parties, `wire ${id}: parties`);
      for (const { masked } of wires) assert.deepEqual(masked, wires[0].masked, `wire ${id}: the public word`);
      const sums = wires[0].mask.map((_, i) =>
        BigInt.asUintN(
          bits,
          wires.reduce((sum, { mask }) => sum + mask[i], 0n),
        ),
      );
      assert.deepEqual(sums, BigUint64Array.from(dealt), `wire ${id}: the mask`);
    }
    assert.deepEqual(new Set(this.#masks.keys()), new Set(this.#wires.keys()), "wires of dealer and parties");
    const { places } = dealtLayout(plan);
    for (let party = 0; party < parties; party++)
      plan.instructions.forEach((instruction, index) => {
        for (const { name, count } of places[index].values())
          assert.equal(this.#read[party].get(`${idOf(instruction)} ${name}`) ?? 0, count, `${name}: party ${party}`);
      });
    const heard = this.#wires.size;
    this.#wires.clear();
    this.#masks.clear();
    this.#read.splice(0);
    return heard;
  }

  #party(instruction: object, walk: PartyWalk): PartyWalk {
    const note = (id: ValueId, wire: PartyWire): PartyWire => {
      const wires = this.#wires.get(id) ?? [];
      wires[walk.party] = wire;
      this.#wires.set(id, wires);
      return wire;
    };
    const read = (this.#read[walk.party] ??= new Map());
    const counted = (name: string, source: WordSource): WordSource => {
      const key = `${idOf(instruction)} ${name}`;
      const count = (words: number): void => void read.set(key, (read.get(key) ?? 0) + words);
      return {
        next(out) {
          count(out.length);
          source.next(out);
        },
        nextPacked(words) {
          count(words);
          return source.nextPacked(words);
        },
      };
    };
    return {
      ...walk,
      wire: (id) => note(id, walk.wire(id)),
      setWire: (id, wire) => walk.setWire(id, note(id, wire)),
      dealt: (name) => counted(name, walk.dealt(name)),
    };
  }

  #dealer(walk: DealerWalk): DealerWalk {
    return {
      ...walk,
      mask: (id) => {
        const mask = walk.mask(id);
        this.#masks.set(id, mask);
        return mask;
      },
      setMask: (id, words) => {
        this.#masks.set(id, words);
        walk.setMask(id, words);
      },
    };
  }
}

/** An instruction is known by what it makes. */
const idOf = (instruction: object): number => (instruction as { readonly out?: number }).out ?? -1;
