import type { Algebra } from "../../../layers/program.ts";
import { loweringAlgebra } from "./algebra.ts";
import type { Lowered } from "./lowering.ts";
import type { SiteKind } from "./ranges.ts";
import type { Placed, PlacedLowering } from "./placed.ts";

/** The reading of a block program that writes a plan with two evaluators: see PlacedLowering. */
export function placedAlgebra(placed: PlacedLowering): Algebra<Placed> {
  const { at } = placed;
  const inner = loweringAlgebra(at);
  const shared = (value: Lowered): Placed => ({ kind: "shared", shared: value });
  const lookup = (): never => {
    throw new Error("embedding: expected at the client, got a lookup under SMPC");
  };
  /** A sum or an elementwise product of two values, at the client or on shares. */
  const both = (atClient: boolean, name: "add" | "multiply", x: Placed, y: Placed, bounds: (number | null)[]): Placed =>
    atClient
      ? placed.evaluate(
          { name },
          [x, y].map((value, i) => placed.toClient(value, bounds[i])),
          placed.columnsOf(x),
        )
      : shared(inner[name](placed.toShare(x), placed.toShare(y)));
  /** The largest magnitude at a site that comes next. */
  const upcoming = (kind: SiteKind, ahead = 0): number => at.siteNamed(at.names.upcoming(kind, ahead)).range.maxAbs;
  /** Shares whose entries are `most` at most. */
  const bounded = (value: Lowered, most: number): Placed => {
    placed.noteNorm(value, most * Math.sqrt(at.columnsOf(value.id)));
    return shared(value);
  };
  const norm = (
    x: Placed,
    width: number,
    operation: { epsilon: number; centred: boolean; gain: string; bias: string | null },
    lower: (x: Lowered) => Lowered,
  ): Placed => {
    const columns = placed.columnsOf(x);
    if (!placed.isAtClient("norm")) {
      const normed = lower(placed.toShare(x));
      placed.noteNorm(normed, Math.sqrt(columns));
      return shared(normed);
    }
    const bound = x.kind === "shared" ? at.site("norm").range.maxAbs : (placed.passSites("norm"), null);
    return placed.evaluate({ name: "norm", width, ...operation }, [placed.toClient(x, bound)], columns);
  };
  return {
    lookupTokens: lookup,
    lookupPositions: lookup,
    addTableRow: lookup,
    linear: (x, weight, bias) => placed.linear(x, weight, bias, false),
    unembed: (x, table, bias) => placed.linear(x, table, bias, true),
    // A sum goes to the client only where a part of it is there: sums of shares cost nothing.
    add: (x, y) =>
      both(placed.isAtClient("norm") && (x.kind !== "shared" || y.kind !== "shared"), "add", x, y, [null, null]),
    multiply(x, y) {
      if (!placed.isAtClient("activation")) {
        const most = upcoming("operand") * upcoming("operand", 1);
        return bounded(inner.multiply(placed.toShare(x), placed.toShare(y)), most);
      }
      const bounds = [x, y].map((value) =>
        value.kind === "shared" ? at.site("operand").range.maxAbs : (placed.passSites("operand"), null),
      );
      return both(true, "multiply", x, y, bounds);
    },
    scale: (x, factor) =>
      x.kind === "shared"
        ? shared(inner.scale(x.shared, factor))
        : placed.evaluate({ name: "scale", factor }, [placed.toClient(x)], placed.columnsOf(x)),
    softCap(x, cap) {
      if (!placed.isAtClient("activation")) return shared(inner.softCap(placed.toShare(x), cap));
      const bound = x.kind === "shared" ? at.site("softCap").range.maxAbs : (placed.passSites("softCap"), null);
      return placed.evaluate({ name: "soft-cap", cap }, [placed.toClient(x, bound)], placed.columnsOf(x));
    },
    activate(x, kind) {
      if (!placed.isAtClient("activation")) {
        const most = upcoming("activation");
        return bounded(inner.activate(placed.toShare(x), kind), most);
      }
      const bound = x.kind === "shared" ? at.site("activation").range.maxAbs : (placed.passSites("activation"), null);
      return placed.evaluate({ name: "activation", kind }, [placed.toClient(x, bound)], placed.columnsOf(x));
    },
    layerNorm: (x, gain, bias, epsilon) =>
      norm(x, placed.columnsOf(x), { epsilon, centred: true, gain, bias }, (value) =>
        inner.layerNorm(value, gain, bias, epsilon),
      ),
    rmsNorm: (x, gain, epsilon, width) =>
      norm(x, width, { epsilon, centred: false, gain, bias: null }, (value) =>
        inner.rmsNorm(value, gain, epsilon, width),
      ),
    rotate(x, rope, headDim) {
      if (x.kind === "shared" || !placed.isAtClient("attention"))
        return shared(placed.rotated(placed.toShare(x), (value) => inner.rotate(value, rope, headDim)));
      return placed.evaluate(
        {
          name: "rotate",
          headDim,
          inverseFrequencies: [...rope.inverseFrequencies],
          firstPosition: at.firstPosition,
        },
        [placed.toClient(x)],
        placed.columnsOf(x),
      );
    },
  };
}
