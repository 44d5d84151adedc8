import type { Instruction, Plan, PlanCheck, PlanSite, ShareInfo, ValueId, ValueInfo, WireInfo } from "./instruction.ts";
import { MAX_RING_BITS } from "../../../shares/words.ts";

/** The words of a value would have to be wider than a ring can be: the caller lowers a precision and tries again. */
export class RingBudgetError extends Error {
  override readonly name = "RingBudgetError";
  /** The values, where a builder found them. */
  readonly values: readonly ValueId[];

  constructor(message: string, values: readonly ValueId[] = []) {
    super(message);
    this.values = values;
  }
}

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

  /** A new share; its ring is settled by `finish`. */
  share(rows: number, columns: number, fracBits: number): ValueId {
    return this.#values.push({ kind: "share", rows, columns, fracBits, ringBits: 0 }) - 1;
  }

  wire(rows: number, columns: number, fracBits: number, bits: number): ValueId {
    return this.#values.push({ kind: "wire", rows, columns, fracBits, bits }) - 1;
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
      .map((instruction) => rename(instruction, renamed));
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
      else if (this.#wide.has(id)) info.bits = Math.max(info.bits, Math.min(bits, this.#wide.get(id)!));
    };
    const faults: { readonly fault: string; readonly value: ValueId }[] = [];
    for (const instruction of this.#instructions.toReversed()) {
      if (!isLive(instruction, needed)) continue;
      const out = "out" in instruction ? this.#values[instruction.out] : null;
      if (out?.kind === "share" && out.ringBits > MAX_RING_BITS) {
        const value = (instruction as { out: ValueId }).out;
        const fault = `${instruction.gate} (value ${value}, ${out.fracBits} fractional bits): expected a ring of at most ${MAX_RING_BITS} bits, got ${out.ringBits}`;
        faults.push({ fault, value });
        out.ringBits = MAX_RING_BITS; // what it is made of is another question
      }
      this.#demandInputs(instruction, out, demand);
    }
    if (faults.length > 0)
      throw new RingBudgetError(
        faults[0].fault,
        faults.map(({ value }) => value),
      );
    return needed;
  }

  #demandInputs(
    instruction: Instruction,
    out: Readonly<ValueInfo> | null,
    demand: (id: ValueId, bits: number) => void,
  ): void {
    const ring = out?.kind === "share" ? out.ringBits : 0;
    switch (instruction.gate) {
      case "input":
        return;
      case "output":
        return demand(instruction.x, instruction.bits);
      case "combine":
        for (const { x, factor } of instruction.terms) demand(x, Math.max(1, ring - twos(factor)));
        return;
      case "shift":
        return demand(instruction.x, ring + instruction.bits);
      case "open":
        return demand(instruction.x, (out as WireInfo).bits);
      case "append":
      case "diagonal":
        return demand(instruction.x, (out as WireInfo).bits);
      case "row-difference":
        demand(instruction.x, (out as WireInfo).bits);
        return demand(instruction.row, (out as WireInfo).bits);
      case "scores":
        this.#fits(instruction.q, ring, "scores");
        demand(instruction.q, ring);
        return demand(instruction.k, ring);
      case "mix":
        this.#fits(instruction.v, ring, "mix");
        demand(instruction.p, ring);
        return demand(instruction.v, ring);
      case "row-scale":
        demand(instruction.x, ring);
        return demand(instruction.scale, ring);
      case "square-scale":
        demand(instruction.x, ring);
        demand(instruction.square, ring);
        return demand(instruction.scale, ring);
      case "multiply":
        demand(instruction.a, ring);
        return demand(instruction.b, ring);
      default:
        return demand(instruction.x, ring);
    }
  }

  /** A product mod 2^bits is known mod 2^bits only. */
  #fits(wire: ValueId, ring: number, gate: string): void {
    const { bits } = this.#values[wire] as WireInfo;
    if (ring > bits)
      throw new RingBudgetError(`${gate}: expected a ring of at most the wires' ${bits} bits, got ${ring}`, [wire]);
  }
}

/** Exponent of two in an integer. */
export function twos(factor: number): number {
  let count = 0;
  for (let rest = Math.abs(factor); rest !== 0 && rest % 2 === 0; rest /= 2) count++;
  return count;
}

/** Does anything need what it makes? Rows that are kept for later steps count as needed. */
function isLive(instruction: Instruction, needed: ReadonlySet<ValueId>): boolean {
  return instruction.gate === "output" || instruction.gate === "input" || needed.has(instruction.out);
}

const OPERANDS = ["x", "out", "q", "k", "p", "v", "a", "b", "square", "scale", "row"] as const;

/** The values that an instruction reads. */
export function operandsOf(instruction: Instruction): ValueId[] {
  if (instruction.gate === "combine") return instruction.terms.map(({ x }) => x);
  const fields = instruction as unknown as Record<string, unknown>;
  return OPERANDS.filter((field) => field !== "out" && typeof fields[field] === "number").map(
    (field) => fields[field] as ValueId,
  );
}

function rename(instruction: Instruction, renamed: ReadonlyMap<ValueId, ValueId>): Instruction {
  const copy: Record<string, unknown> = { ...instruction };
  for (const field of OPERANDS) if (typeof copy[field] === "number") copy[field] = renamed.get(copy[field]);
  if (instruction.gate === "combine")
    copy.terms = instruction.terms.map(({ x, factor }) => ({ x: renamed.get(x)!, factor }));
  return copy as unknown as Instruction;
}

/** The level of each instruction: how many openings it must wait for. */
function schedule(instructions: readonly Instruction[]): { levels: number[]; rounds: number } {
  const ready = new Map<ValueId, number>();
  let rounds = 0;
  const levels = instructions.map((instruction) => {
    const level = Math.max(0, ...operandsOf(instruction).map((id) => ready.get(id) ?? 0));
    if ("out" in instruction) ready.set(instruction.out, instruction.gate === "open" ? level + 1 : level);
    if (instruction.gate === "open") rounds = Math.max(rounds, level + 1);
    return level;
  });
  return { levels, rounds };
}

/** The share that an id names. Throws Error for a wire. */
export function shareOf(info: ValueInfo): ShareInfo {
  if (info.kind !== "share") throw new Error("value: expected a share, got a wire");
  return info;
}
