import type { CodePoints } from "../unicode/code-points.ts";

/** A part of a pattern. */
export type PatternNode =
  /** One character of a set; `letter` is the ASCII letter that was written, where either case of it is meant. */
  | { readonly kind: "set"; readonly set: CodePoints; readonly letter?: string }
  | { readonly kind: "sequence"; readonly items: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly options: readonly PatternNode[] }
  | {
      readonly kind: "repeat";
      readonly body: PatternNode;
      readonly min: number;
      /** Infinity where there is no end. */
      readonly max: number;
      readonly mode: "greedy" | "lazy" | "possessive";
    }
  | {
      readonly kind: "look";
      readonly direction: "ahead" | "behind";
      readonly negative: boolean;
      readonly body: PatternNode;
    }
  /** What is matched isn't given back. */
  | { readonly kind: "atomic"; readonly body: PatternNode }
  /** A place, as JavaScript says it. */
  | { readonly kind: "place"; readonly source: string };
