/**
 * Holds a gate to what it declares while it runs: it reads no value but its operands, describes none but those and its output, and asks
 * for no public integers but those of `tables`, which the hash that parties compare covers.
 */
import assert from "node:assert/strict";
import type { MatrixSource } from "../../../protocols/smpc/factors/matrix-source.ts";
import type {
  AnyInstruction,
  ClearWalk,
  ClientWalk,
  DealerWalk,
  Gate,
  PartyWalk,
  PublicFactors,
} from "../../../protocols/smpc/plan/gate.ts";
import { readsOf } from "../../../protocols/smpc/plan/operands.ts";
import type { InfoOf, ValueId } from "../../../protocols/smpc/plan/value.ts";

export class DeclaredReads<I extends AnyInstruction> {
  readonly #gate: string;
  readonly #operands: ReadonlySet<ValueId>;
  readonly #read = new Set<ValueId>();
  readonly #out: ValueId | undefined;
  readonly #tables = new Set<string>();
  /** As the caller's, for the operands and the output alone. */
  readonly info: InfoOf;

  constructor(gate: Gate<I>, instruction: I, info: InfoOf) {
    this.#gate = gate.name;
    this.#operands = new Set(readsOf(gate, instruction));
    this.#out = instruction.out;
    this.info = (id) => {
      assert.ok(id === this.#out || this.#operands.has(id), `${gate.name}: looks at value ${id}, which is no operand`);
      return info(id);
    };
    gate.tables(instruction, this.info, {
      matrix: (matrix, fracBits) => this.#tables.add(matrixKey(matrix, fracBits)),
      bias: (matrix, fracBits) => this.#tables.add(biasKey(matrix, fracBits)),
      vector: (...setting) => this.#tables.add(vectorKey(setting)),
      table: ({ key }) => this.#tables.add(key),
    });
  }

  party = (walk: PartyWalk): PartyWalk => ({
    ...walk,
    info: this.info,
    factors: this.factors(walk.factors),
    share: (id) => walk.share(this.#operand(id)),
    wire: (id) => walk.wire(this.#operand(id)),
  });

  dealer = (walk: DealerWalk): DealerWalk => ({
    ...walk,
    info: this.info,
    mask: (id) => walk.mask(this.#operand(id)),
    carry: (id) => walk.carry(this.#operand(id)),
  });

  clear = (walk: ClearWalk): ClearWalk => ({
    ...walk,
    info: this.info,
    factors: this.factors(walk.factors),
    clear: (id) => walk.clear(this.#operand(id)),
    real: (id) => walk.real(this.#operand(id)),
  });

  client = (walk: ClientWalk): ClientWalk => ({
    ...walk,
    info: this.info,
    real: (id) => walk.real(this.#operand(id)),
  });

  /** `factors` for what is declared alone. */
  factors(factors: PublicFactors): PublicFactors {
    return {
      multiply: (matrix, fracBits, ...rest) => {
        this.#declared(matrixKey(matrix, fracBits));
        return factors.multiply(matrix, fracBits, ...rest);
      },
      bias: (matrix, fracBits) => {
        this.#declared(biasKey(matrix, fracBits));
        return factors.bias(matrix, fracBits);
      },
      vector: (...setting) => {
        this.#declared(vectorKey(setting));
        return factors.vector(...setting);
      },
      table: (table) => {
        this.#declared(table.key);
        const made = factors.table(table);
        assert.equal(made.byteLength, table.bytes, `${this.#gate}: bytes of table ${table.key}`);
        return made;
      },
    };
  }

  /** Operands that nothing has read so far. */
  get unread(): ValueId[] {
    return [...this.#operands].filter((id) => !this.#read.has(id));
  }

  #operand(id: ValueId): ValueId {
    assert.ok(this.#operands.has(id), `${this.#gate}: reads value ${id}, which its operands don't name`);
    this.#read.add(id);
    return id;
  }

  #declared(key: string): void {
    assert.ok(this.#tables.has(key), `${this.#gate}: asks for ${key}, which its tables don't declare`);
  }
}

const matrixKey = (matrix: MatrixSource, fracBits: number): string => `matrix ${fracBits} ${JSON.stringify(matrix)}`;
const biasKey = (matrix: MatrixSource, fracBits: number): string => `bias ${fracBits} ${JSON.stringify(matrix)}`;
const vectorKey = (setting: readonly unknown[]): string => `vector ${JSON.stringify(setting)}`;
