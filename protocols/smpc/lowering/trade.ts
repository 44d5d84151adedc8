import type { Precision } from "./precision.ts";

/** A trade in words, and what it changes of a precision. */
interface Trade {
  readonly does: string;
  readonly apply: (precision: Precision) => Partial<Precision>;
}

/** Words of activations that are graded by harmonic lose this part of the series' error to rounding. */
const ROUNDING_PART = 1 / 2;

/**
 * What the layers under SMPC spend to save something else; figures in docs/smpc.md, "Trades". All of them keep the error of a BERT-base
 * layer at or below that of `standard`: tables graded by harmonic are more exact at the same bits, and what that gains is spent.
 */
export const TRADES = {
  standard: { does: "fewest bytes online", apply: () => ({}) },
  balanced: {
    does: "fewer rounds and dealt words",
    apply: (precision) => ({
      normalised: "attended",
      gradedRows: true,
      activationError: 2 * precision.activationError,
      activationRounding: ROUNDING_PART * precision.activationError,
      queryFracBits: precision.queryFracBits - 1,
      keyFracBits: precision.keyFracBits - 1,
      logitFracBits: precision.logitFracBits - 1,
    }),
  },
  "few-rounds": {
    does: "fewest rounds, and smaller errors",
    apply: (precision) => ({
      normalised: "attended",
      gradedRows: true,
      activationRounding: ROUNDING_PART * precision.activationError,
    }),
  },
  "few-dealt-words": {
    does: "fewest dealt words, for bytes online and a round",
    apply: (precision) => ({
      normalised: "attended",
      gradedRows: true,
      activationError: 2 * precision.activationError,
      activationRounding: ROUNDING_PART * precision.activationError,
      activatedFracBits: precision.activationFracBits,
      activationFracBits: precision.activationFracBits + 1,
    }),
  },
} as const satisfies Readonly<Record<string, Trade>>;

export type TradeName = keyof typeof TRADES;

/** The names, for schemas. */
export const TRADE_NAMES = Object.keys(TRADES) as [TradeName, ...TradeName[]];

/** A precision as a trade changes it. */
export const traded = (precision: Precision, trade: TradeName): Precision => ({
  ...precision,
  ...TRADES[trade].apply(precision),
});
