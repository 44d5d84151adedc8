/**
 * Lowering with two evaluators: every value is on shares or at the client, and goes over where its next operation is evaluated.
 * Products with matrices are always the parties'. What the client has normed, attended or activated goes into a product row by row divided
 * by its own norm, through a matrix whose columns are divided by theirs: no product is larger than 1, whatever the values are, so that
 * delegated layers need no range (Cauchy-Schwarz).
 */
import type { AttentionSpec, Projections } from "../../../layers/program.ts";
import { prefixVectors } from "../factors/prefix-vectors.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";
import type { Operation } from "../evaluation/operation.ts";
import type { ValueId } from "../plan/value.ts";
import { RingBudgetError } from "../plan/ring-budget-error.ts";
import { lowerAttention, type AttentionPlace } from "./attention.ts";
import { BY_PARTIES, type Evaluators, type Group } from "./evaluators.ts";
import { bitsAbove, type Lowered, type Lowering } from "./lowering.ts";
import type { DelegatedKind } from "./precision.ts";
import type { SiteKind } from "./ranges.ts";

/** A value while a program is being lowered. */
export type Placed =
  | { readonly kind: "shared"; readonly shared: Lowered }
  | { readonly kind: "client"; readonly id: ValueId }
  /** A product of the client's rows with a matrix that is not asked for yet: it depends on who needs it. */
  | { readonly kind: "product"; readonly x: ValueId; readonly source: MatrixSource };

/** Bits that the ring of a delegated product has above its fraction: the sign. */
const PRODUCT_BITS = 1;
/** Of a given share's range: the sign, and room for roundings. */
const GIVEN_BITS = 2;

export class PlacedLowering {
  readonly at: Lowering;
  /** Of the layer that is being lowered. */
  evaluators: Evaluators = BY_PARTIES;
  /** The layer's attention is lowered already. */
  isAttended = false;
  /** The client's numbers that come from an attention or an activation. */
  readonly #kinds = new Map<ValueId, DelegatedKind>();
  /** Shares and numbers that a value went over to already. */
  readonly #taken = new Map<ValueId, ValueId>();
  readonly #normalised = new Map<ValueId, ValueId>();
  readonly #given = new Map<ValueId, ValueId>();
  /** Largest 2-norm of a row of a share, and largest magnitude of its entries, where the plan knows one. */
  readonly #rowNorms = new Map<ValueId, number>();
  readonly #entries = new Map<ValueId, number>();

  constructor(at: Lowering) {
    this.at = at;
  }

  isAtClient(group: Group): boolean {
    return this.evaluators[group] === "client";
  }

  /** The site of a kind that the client evaluates: it has a name, and needs no range. */
  passSites(...kinds: SiteKind[]): void {
    for (const kind of kinds) this.at.names.next(kind);
  }

  /** Notes that no row of a share is longer than `norm`. */
  noteNorm({ id }: Lowered, norm: number): void {
    this.#rowNorms.set(id, Math.max(norm, this.#rowNorms.get(id) ?? 0));
  }

  /** Rotated shares: a rotation makes an entry of two. */
  rotated(x: Lowered, rotate: (x: Lowered) => Lowered): Lowered {
    const most = this.#boundOf(x);
    const rotated = rotate(x);
    if (most !== null) this.#entries.set(rotated.id, most * Math.SQRT2);
    return rotated;
  }

  evaluate(operation: Operation, inputs: readonly ValueId[], columns: number): Placed {
    const { builder, rows } = this.at;
    const out = builder.client(rows, columns);
    builder.emit({ gate: "evaluate", operation, inputs: inputs.map((x) => ({ x })), out });
    if (operation.name === "attention") this.#kinds.set(out, "attended");
    if (operation.name === "activation" || operation.name === "multiply") this.#kinds.set(out, "activated");
    return { kind: "client", id: out };
  }

  columnsOf(x: Placed): number {
    if (x.kind === "product") return this.at.outputsOf(x.source);
    return this.at.columnsOf(x.kind === "shared" ? x.shared.id : x.id);
  }

  /** x through a matrix, wherever x is. */
  linear(x: Placed, weight: string, bias: string | null, transposed: boolean): Placed {
    if (x.kind === "shared") return { kind: "shared", shared: this.at.linear(x.shared, weight, bias, transposed) };
    const source = { weight, transposed, rowGain: null, factor: 1, bias, biasFactor: 1 };
    return {
      kind: "product",
      x: this.toClient(x),
      source: { ...source, rowBias: null, centred: false, columnShifts: null },
    };
  }

  /** x on shares. */
  toShare(x: Placed): Lowered {
    if (x.kind === "shared") return x.shared;
    const taken = this.at.value(this.#take(x.kind === "client" ? x.id : x.x));
    if (x.kind === "client") return taken;
    const { weight, bias, transposed } = x.source;
    return this.at.linear(taken, weight, bias, transposed);
  }

  /** x at the client. `bound`: largest magnitude of a share, where a site says one. Throws RingBudgetError where nothing bounds it. */
  toClient(x: Placed, bound: number | null = null): ValueId {
    if (x.kind === "client") return x.id;
    return x.kind === "product" ? this.#product(x.x, x.source) : this.#give(x.shared, bound);
  }

  /** Attention at whoever evaluates it in this layer. */
  attention(spec: AttentionSpec, { q, k, v }: Projections<Placed>, place: AttentionPlace): Placed {
    const attended = this.#attention(spec, { q, k, v }, place);
    this.isAttended = true;
    return attended;
  }

  #attention(spec: AttentionSpec, { q, k, v }: Projections<Placed>, place: AttentionPlace): Placed {
    if (this.isAtClient("attention")) {
      this.passSites("logits", "attended");
      const inputs = [q, k, v].map((x) => this.toClient(x));
      const names = prefixVectors(place.layer);
      const operation: Operation = {
        name: "attention",
        spec,
        key: `layers.${place.layer}`,
        firstPosition: this.at.firstPosition,
        past: place.past,
        prefix: place.prefix === 0 ? null : { rows: place.prefix, k: names.k, v: names.v },
      };
      return this.evaluate(operation, inputs, spec.heads * spec.headDim);
    }
    const shared = lowerAttention(this.at, spec, { q: this.toShare(q), k: this.toShare(k), v: this.toShare(v) }, place);
    const { range } = this.at.siteNamed(`layers.${place.layer}.attended.0`);
    this.noteNorm(shared, range.maxAbs * Math.sqrt(spec.heads * spec.headDim));
    return { kind: "shared", shared };
  }

  #take(x: ValueId): ValueId {
    const known = this.#taken.get(x);
    if (known !== undefined) return known;
    const { builder, precision } = this.at;
    const { rows, columns } = builder.info(x);
    const out = builder.share(rows, columns, precision.takenFracBits);
    builder.emit({ gate: "take", x, out, normalised: false });
    this.#taken.set(x, out);
    return out;
  }

  /** The client's rows times a matrix, back at the client. */
  #product(x: ValueId, source: MatrixSource): ValueId {
    const { builder, precision, rows } = this.at;
    const kind = this.#kinds.get(x) ?? (this.isAttended ? "normed" : "projected");
    const { rowBits, matrixBits, firstBits, othersBits } = precision.delegated[kind];
    let taken = this.#normalised.get(x);
    if (taken === undefined) {
      const { columns } = builder.info(x);
      taken = builder.share(rows, columns, rowBits);
      builder.emit({ gate: "take", x, out: taken, normalised: true });
      this.#normalised.set(x, taken);
    }
    const matrix = { ...source, bias: null, isNormalised: true };
    const fracBits = rowBits + matrixBits;
    const bits = fracBits + PRODUCT_BITS;
    const outputs = this.at.outputsOf(source);
    const product = builder.share(rows, outputs, fracBits);
    builder.emit({ gate: "linear", x: taken, matrix, matrixFracBits: matrixBits, out: product });
    const out = builder.client(rows, outputs);
    builder.emit({
      gate: "give",
      x: product,
      out,
      bits,
      droppedBits: bits - firstBits,
      othersDroppedBits: bits - othersBits,
      rowsOf: [{ x }],
      columnsOf: matrix,
    });
    if (source.bias === null) return out;
    const biased = builder.client(rows, outputs);
    builder.emit({
      gate: "evaluate",
      operation: { name: "add-bias", bias: source.bias },
      inputs: [{ x: out }],
      out: biased,
    });
    return biased;
  }

  #give(x: Lowered, bound: number | null): ValueId {
    const { builder, precision } = this.at;
    const id = this.at.settle(x);
    const known = this.#given.get(id);
    if (known !== undefined) return known;
    const most = bound ?? this.#boundOf(x);
    if (most === null)
      throw new RingBudgetError(`${this.at.about}: expected a bound of what the client gets, got none`, {
        isFinal: true,
      });
    const { rows, columns, fracBits } = builder.info(id);
    const droppedBits = Math.max(0, fracBits - precision.givenFracBits);
    const out = builder.client(rows, columns);
    builder.emit({
      gate: "give",
      x: id,
      out,
      bits: bitsAbove(Math.max(most, 2 ** -precision.givenFracBits)) + fracBits + GIVEN_BITS,
      droppedBits,
      othersDroppedBits: droppedBits,
      rowsOf: [],
      columnsOf: null,
    });
    this.#given.set(id, out);
    return out;
  }

  /** Largest magnitude of an entry of x, what is pending included; null: nothing says. */
  #boundOf(x: Lowered): number | null {
    const { made, id } = x;
    const { largestProduct, largestOf } = this.at;
    const norm = made === null ? undefined : this.#rowNorms.get(made.x);
    const entry =
      made !== null && norm !== undefined
        ? largestProduct(made.matrix, norm)
        : (this.#entries.get(id) ?? this.#rowNorms.get(id));
    if (entry === undefined) return null;
    const gain = x.gain === null ? 1 : largestOf(x.gain);
    return entry * gain * Math.abs(x.factor) + (x.bias === null ? 0 : largestOf(x.bias));
  }
}
