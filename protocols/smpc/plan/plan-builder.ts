import { isWaitedFor, type Instruction, type Plan, type PlanCheck, type PlanSite } from "./instruction.ts";
import type { ValueId, ValueInfo } from "./value.ts";
import { MAX_RING_BITS } from "../../../shares/words.ts";
import { withValues, demandsOf, operandsOf } from "./operands.ts";
import { widthOf } from "./width-of.ts";
import { RingBudgetError } from "./ring-budget-error.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Collects instructions in program order and then settles what only the whole plan knows: the ring of every share (a backward pass
 * over what consumers need), which instructions nothing needs, and the round of every opening.
 */
export class PlanBuilder {
  readonly #values: Mutable<ValueInfo>[] = [];
  readonly #instructions: Instruction[] = [];
  readonly #sites: PlanSite[] = [];
  readonly #checks: PlanCheck[] = [];
  /** Wires whose bits follow from their consumers, up to a limit. */
  readonly #wide = new Map<ValueId, number>();
  /** Ranges of sites in words. */
  readonly #ranges = new Map<string, string>();

  /** A new share; its ring is settled by `finish`. */
  share(rows: number, columns: number, fracBits: number): ValueId {
    return this.#values.push({ kind: "share", rows, columns, fracBits, ringBits: 0 }) - 1;
  }

  /** A new wire. Throws RingBudgetError for one that is wider than a word. */
  wire(rows: number, columns: number, fracBits: number, bits: number): ValueId {
    if (!(bits <= MAX_RING_BITS))
      throw new RingBudgetError(`expected a wire of at most ${MAX_RING_BITS} bits, got ${bits}`);
    return this.#values.push({ kind: "wire", rows, columns, fracBits, bits }) - 1;
  }

  /** A new value of the client's. */
  client(rows: number, columns: number): ValueId {
    return this.#values.push({ kind: "client", rows, columns, fracBits: 0 }) - 1;
  }

  /** A row wire as wide as its consumers need, at most `limitBits`. */
  wideWire(rows: number, columns: number, fracBits: number, limitBits: number): ValueId {
    const id = this.wire(rows, columns, fracBits, 0);
    this.#wide.set(id, limitBits);
    return id;
  }

  emit(instruction: Instruction): void {
    this.#instructions.push(instruction);
  }

  info(id: ValueId): ValueInfo {
    return this.#values[id];
  }

  /** Says the range of a site in words, for errors about it. */
  describe(site: string, range: string): void {
    this.#ranges.set(site, range);
  }

  /** Notes what sized a wire. */
  site(site: PlanSite): void {
    this.#sites.push(site);
  }

  check(check: PlanCheck): void {
    this.#checks.push(check);
  }

  /** Values so far: the next one's id. */
  get valueCount(): number {
    return this.#values.length;
  }

  /** The plan. Throws RingBudgetError naming the first instruction whose output needs more than 64 bits, with all such outputs. */
  finish(): Plan {
    const needed = this.#settleRings();
    const renamed = new Map<ValueId, ValueId>();
    const values = this.#values.filter((_, id) => {
      const keep = needed.has(id);
      if (keep) renamed.set(id, renamed.size);
      return keep;
    });
    const instructions = this.#instructions
      .filter((instruction) => isLive(instruction, needed))
      .map((instruction) => withValues(instruction, (id) => renamed.get(id)!));
    const { levels, rounds } = schedule(instructions);
    const sites = this.#sites.filter(({ value }) => renamed.has(value));
    return {
      values,
      instructions,
      levels,
      rounds,
      sites: sites.map((site) => ({ ...site, value: renamed.get(site.value)! })),
      checks: this.#checks,
    };
  }

  /** Sets every ring, last consumer first; returns the values that anything needs. */
  #settleRings(): Set<ValueId> {
    const needed = new Set<ValueId>();
    const demand = (id: ValueId, bits: number): void => {
      needed.add(id);
      const info = this.#values[id];
      if (info.kind === "share") info.ringBits = Math.max(info.ringBits, bits);
      else if (info.kind === "wire" && this.#wide.has(id))
        info.bits = Math.max(info.bits, Math.min(bits, this.#wide.get(id)!));
    };
    const faults: { readonly fault: string; readonly value: ValueId }[] = [];
    for (const instruction of this.#instructions.toReversed()) {
      if (!isLive(instruction, needed)) continue;
      const out = "out" in instruction ? this.#values[instruction.out] : null;
      if (out?.kind === "share" && out.ringBits > MAX_RING_BITS) {
        const value = (instruction as { out: ValueId }).out;
        const fault = `expected a ring of at most ${MAX_RING_BITS} bits, got ${out.ringBits} (${instruction.gate}, ${out.fracBits} fractional bits)`;
        faults.push({ fault: this.#about(value) + fault, value });
        out.ringBits = MAX_RING_BITS; // what it is made of is another question
      }
      const need = out === null ? 0 : widthOf(out);
      for (const [id, bits] of this.#demands(instruction, need)) demand(id, bits);
    }
    if (faults.length > 0)
      throw new RingBudgetError(faults[faults.length - 1].fault, { values: faults.map(({ value }) => value) });
    return needed;
  }

  /** The site that a value is made for, which is the next one that is opened, and its range: what a fault of it begins with. */
  #about(value: ValueId): string {
    const next = this.#sites.filter((site) => site.value >= value).sort((a, b) => a.value - b.value)[0];
    if (next === undefined) return "";
    const range = this.#ranges.get(next.site);
    return range === undefined ? `${next.site}: ` : `${next.site}, ${range}: `;
  }

  /** demandsOf; an error of it names what its value is about. */
  #demands(instruction: Instruction, need: number): ReturnType<typeof demandsOf> {
    try {
      return demandsOf(instruction, need, (id) => this.#values[id]);
    } catch (error) {
      if (!(error instanceof RingBudgetError) || error.values.length === 0) throw error;
      const { values, message } = error;
      throw new RingBudgetError(this.#about(values[0]) + message, { values });
    }
  }
}

/** Does anything need what it makes, or is it where a plan begins or ends? */
function isLive(instruction: Instruction, needed: ReadonlySet<ValueId>): boolean {
  if (instruction.gate === "input" || instruction.gate === "client-input") return true;
  return !("out" in instruction) || needed.has(instruction.out);
}

/** The level of each instruction: how many messages it must wait for, one after the other. */
function schedule(instructions: readonly Instruction[]): { levels: number[]; rounds: number } {
  const ready = new Map<ValueId, number>();
  let rounds = 0;
  const levels = instructions.map((instruction) => {
    const level = Math.max(0, ...operandsOf(instruction).map((id) => ready.get(id) ?? 0));
    const after = isWaitedFor(instruction) ? level + 1 : level;
    if ("out" in instruction) ready.set(instruction.out, after);
    rounds = Math.max(rounds, after);
    return level;
  });
  return { levels, rounds };
}
