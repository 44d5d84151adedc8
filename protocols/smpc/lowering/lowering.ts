import type { ParameterStatistics } from "../factors/parameter-statistics.ts";
import { matrixFracBits } from "../factors/matrix-precision.ts";
import type { MatrixSource } from "../factors/matrix-source.ts";
import type { ValueId } from "../plan/value.ts";
import type { PlanBuilder } from "../plan/plan-builder.ts";
import { standIn, type SeriesFit } from "../fit/series-fit.ts";
import type { Series } from "../fit/series.ts";
import { LEAST_INDEX_BITS, MOST_INDEX_BITS } from "../plan/plan-limits.ts";
import type { Precision } from "./precision.ts";
import { rangeText, type SiteKind, type SiteNames, type SiteRange } from "./ranges.ts";

/**
 * What series a plan is made with: fitted ones; those that are fitted already, or UnfittedSeries; or stand-ins of the least or the
 * largest size that the fitted ones can have.
 */
export type SeriesChoice = "fitted" | "kept" | "least" | "most";

/** A series is needed that would have to be fitted first. */
export class UnfittedSeries extends Error {
  override readonly name = "UnfittedSeries";
}

/**
 * A shared value while a program is being lowered: a share, and what is still to be multiplied into it. A linear step takes the
 * pending gain, bias and factor into its matrix; everything else has them applied first.
 */
export interface Lowered {
  readonly id: ValueId;
  /** Gain and bias of the norm that made it, by column. */
  readonly gain: string | null;
  readonly bias: string | null;
  readonly factor: number;
  /** Summands, where it is a sum: a LayerNorm takes the mean off each in its own way. */
  readonly parts: readonly Lowered[];
  /** The linear step that made it, so that another matrix can make it again. */
  readonly made: LinearStep | null;
}

export interface LinearStep {
  readonly x: ValueId;
  readonly matrix: MatrixSource;
  readonly matrixFracBits: number;
}

/** What all parts of the lowering work with: one plan in the making, for rows [firstPosition, firstPosition + rows). */
export class Lowering {
  readonly builder: PlanBuilder;
  /** Of the layer that is being lowered. */
  precision: Precision;
  readonly rows: number;
  readonly firstPosition: number;
  readonly #statistics: ParameterStatistics;
  readonly #ranges: (site: string) => SiteRange;
  readonly #series: SeriesChoice;
  names: SiteNames;
  readonly #refusals: string[];
  /** The site that the lowering is at, and its range: what an error begins with. */
  #about = "";
  /** Precision.normedFracBits where it holds: in front of the attention; null elsewhere. */
  normedFracBits: number | null = null;

  constructor(setting: {
    builder: PlanBuilder;
    precision: Precision;
    rows: number;
    firstPosition: number;
    statistics: ParameterStatistics;
    ranges: (site: string) => SiteRange;
    names: SiteNames;
    series: SeriesChoice;
    /** What no table can be made for is pushed onto these: the plan must not run. */
    refusals: string[];
  }) {
    this.builder = setting.builder;
    this.precision = setting.precision;
    this.rows = setting.rows;
    this.firstPosition = setting.firstPosition;
    this.#statistics = setting.statistics;
    this.#ranges = setting.ranges;
    this.names = setting.names;
    this.#series = setting.series;
    this.#refusals = setting.refusals;
  }

  /** The next site of this kind and its range, which the next values are about; Error naming the site if there is none. */
  site(kind: SiteKind): { site: string; range: SiteRange } {
    const site = this.names.next(kind);
    const range = this.#ranges(site);
    this.moveTo(site, rangeText(kind, range));
    return { site, range };
  }

  /** What follows is made for a site with this range, in words. */
  moveTo(site: string, range: string): void {
    this.builder.describe(site, range);
    this.#about = `${site}, ${range}`;
  }

  get about(): string {
    return this.#about;
  }

  /**
   * A series to be looked up on a wire of `fracBits`. Where its table would be too large it is not fitted, and where no fit will do
   * either: the fault is one of the refusals, and a stand-in goes on. Throws UnfittedSeries where only kept ones may be taken.
   */
  series(fit: SeriesFit, fracBits: number): Series {
    const bits = fit.periodBits + fracBits;
    if (bits > MOST_INDEX_BITS)
      this.#refuse(`expected a wire of at most ${MOST_INDEX_BITS} bits for a table, got ${bits}`);
    else if (bits < LEAST_INDEX_BITS)
      this.#refuse(`expected a wire of at least ${LEAST_INDEX_BITS} bits for a table, got ${bits}`);
    else if (fit.refusal !== null) this.#refuse(fit.refusal);
    else if (this.#series === "kept" && !fit.isKept()) throw new UnfittedSeries(fit.name);
    else if (this.#series === "kept" || this.#series === "fitted")
      try {
        return fit.make();
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        this.#refuse(error.message);
      }
    return standIn(fit, this.#series === "least" ? "least" : "most");
  }

  #refuse(fault: string): void {
    this.#refusals.push(`${this.#about}: ${fault}`);
  }

  value(id: ValueId): Lowered {
    return { id, gain: null, bias: null, factor: 1, parts: [], made: null };
  }

  /** The range of a site by its name. Error naming it if there is none. */
  siteNamed(site: string): { range: SiteRange } {
    return { range: this.#ranges(site) };
  }

  /** Output features of a matrix. */
  outputsOf(matrix: MatrixSource): number {
    return this.#statistics.outputs(matrix);
  }

  /** Largest magnitude of a product of rows of 2-norm `norm` at most with a matrix, its bias included. */
  readonly largestProduct = (matrix: MatrixSource, norm: number): number => {
    const { norm: column, bias } = this.#statistics.largestColumn(matrix);
    return norm * column + bias;
  };

  /** Largest magnitude in a parameter. */
  readonly largestOf = (name: string): number => this.#statistics.largest(name);

  columnsOf(id: ValueId): number {
    return this.builder.info(id).columns;
  }

  fracBitsOf(id: ValueId): number {
    return this.builder.info(id).fracBits;
  }

  /** x through a public matrix [in, out]; pending parts of x go into it. */
  linear(x: Lowered, weight: string, bias: string | null, transposed: boolean): Lowered {
    const step: LinearStep = {
      x: x.id,
      matrix: {
        weight,
        transposed,
        rowGain: x.gain,
        factor: x.factor,
        bias,
        biasFactor: 1,
        rowBias: x.bias,
        centred: false,
        columnShifts: null,
      },
      matrixFracBits: 0,
    };
    const { rms, maxAbs } = this.#statistics.matrix(step.matrix);
    return this.emitLinear({ ...step, matrixFracBits: matrixFracBits(rms, maxAbs, this.precision.matrixBits) });
  }

  emitLinear(step: LinearStep): Lowered {
    const outputs = this.#statistics.outputs(step.matrix);
    const id = this.builder.share(this.rows, outputs, this.fracBitsOf(step.x) + step.matrixFracBits);
    this.builder.emit({ gate: "linear", ...step, out: id });
    return { ...this.value(id), made: step };
  }

  /** x with nothing pending. */
  settle(x: Lowered): ValueId {
    const factorBits = Math.log2(Math.abs(x.factor));
    if (x.gain === null && x.bias === null) {
      if (x.factor === 1) return x.id;
      if (x.factor > 0 && Number.isInteger(factorBits)) return this.rescaled(x.id, factorBits);
    }
    const { columnFracBits } = this.precision;
    const scaled = x.gain !== null || x.factor !== 1;
    // A factor far from 1 needs its own fraction: the product keeps columnFracBits significant bits.
    const scaleFracBits = scaled ? columnFracBits - Math.round(this.#statistics.log2Gain(x.gain, x.factor)) : 0;
    const { columns, fracBits, rows } = this.builder.info(x.id);
    const id = this.builder.share(rows, columns, fracBits + scaleFracBits);
    const { gain: scale, factor, bias } = x;
    this.builder.emit({ gate: "columns", x: x.id, out: id, scale, factor, scaleFracBits, bias });
    return id;
  }

  /** The same words read as 2^bits times as much. */
  rescaled(x: ValueId, bits: number): ValueId {
    const { rows, columns, fracBits } = this.builder.info(x);
    const id = this.builder.share(rows, columns, fracBits - bits);
    this.builder.emit({ gate: "combine", terms: [{ x, factor: 1 }], out: id });
    return id;
  }

  add(x: Lowered, y: Lowered): Lowered {
    const [a, b] = [this.settle(x), this.settle(y)];
    const id = this.combine([a, b]);
    return { ...this.value(id), parts: [...this.#parts(x, a), ...this.#parts(y, b)] };
  }

  #parts(x: Lowered, settled: ValueId): readonly Lowered[] {
    if (x.parts.length > 0) return x.parts;
    return [settled === x.id ? x : this.value(settled)];
  }

  /** Sum of shares, aligned to the finest of them. */
  combine(ids: readonly ValueId[]): ValueId {
    if (ids.length === 1) return ids[0];
    const fracBits = Math.max(...ids.map((id) => this.fracBitsOf(id)));
    const { rows, columns } = this.builder.info(ids[0]);
    const out = this.builder.share(rows, columns, fracBits);
    const terms = ids.map((x) => ({ x, factor: 2 ** (fracBits - this.fracBitsOf(x)) }));
    this.builder.emit({ gate: "combine", terms, out });
    return out;
  }

  /** x at exactly `fracBits`. */
  atFracBits(x: ValueId, fracBits: number): ValueId {
    const info = this.builder.info(x);
    if (info.fracBits === fracBits) return x;
    const out = this.builder.share(info.rows, info.columns, fracBits);
    if (info.fracBits > fracBits) this.builder.emit({ gate: "shift", x, out, bits: info.fracBits - fracBits });
    else this.builder.emit({ gate: "combine", terms: [{ x, factor: 2 ** (fracBits - info.fracBits) }], out });
    return out;
  }

  /** Opens x at `fracBits` in a wire of `bits`. */
  open(x: ValueId, fracBits: number, bits: number): ValueId {
    const at = this.atFracBits(x, fracBits);
    const { rows, columns } = this.builder.info(at);
    const wire = this.builder.wire(rows, columns, fracBits, bits);
    this.builder.emit({ gate: "open", x: at, out: wire });
    return wire;
  }

  /** Opens x, |x| <= bound, so that it can be extended: a quarter of the ring. */
  openNarrow(x: ValueId, fracBits: number, bound: number, site: string, range: SiteRange["range"]): ValueId {
    const bits = narrowBits(bound, fracBits);
    const wire = this.open(x, fracBits, bits);
    this.builder.site({ site, value: wire, bound, range });
    return wire;
  }

  /** Normed groups of `width`, opened at `fracBits` and shared again: for the ring bits that the norm's own fraction takes. */
  reopenNormed(x: ValueId, fracBits: number, width: number, site: string): ValueId {
    // A normed group has length sqrt(width) at most, and so has each of its entries; a sixteenth more for rounding.
    return this.extend(this.openNarrow(x, fracBits, Math.sqrt(width) * (1 + 1 / 16), site, "certified"));
  }

  extend(wire: ValueId, sign: { readonly nonNegative?: true } = {}): ValueId {
    const { rows, columns, fracBits } = this.builder.info(wire);
    const out = this.builder.share(rows, columns, fracBits);
    this.builder.emit({ gate: "extend", x: wire, out, ...sign });
    return out;
  }
}

/** Bits of a wire whose values stay within a quarter of its ring: |x| < 2^(bits - 2) units. */
export function narrowBits(bound: number, fracBits: number): number {
  return Math.max(3, Math.ceil(Math.log2(Math.max(bound, 2 ** -fracBits)) + fracBits + 2));
}

/** ceil(log2(x)), at least a float's own rounding apart. */
export const bitsAbove = (x: number): number => Math.ceil(Math.log2(x) - 1e-9);
