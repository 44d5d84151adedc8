import type { Activation } from "../../../layers/model-spec.ts";
import type { AttentionSpec } from "../../../layers/program.ts";

/** An operation of the block program that the client evaluates on its own numbers; vectors are named by their canonical name. */
export type Operation =
  | {
      readonly name: "norm";
      /** Columns of a group. */
      readonly width: number;
      readonly epsilon: number;
      /** The mean is taken off first (LayerNorm). */
      readonly centred: boolean;
      readonly gain: string;
      readonly bias: string | null;
    }
  | { readonly name: "activation"; readonly kind: Activation }
  | { readonly name: "soft-cap"; readonly cap: number }
  | { readonly name: "scale"; readonly factor: number }
  | { readonly name: "add" }
  | { readonly name: "multiply" }
  | { readonly name: "add-bias"; readonly bias: string }
  | {
      readonly name: "rotate";
      readonly headDim: number;
      readonly inverseFrequencies: readonly number[];
      readonly firstPosition: number;
    }
  | {
      /** Of q, k and v; the rows of k and v are kept under `key` for later steps. */
      readonly name: "attention";
      readonly spec: AttentionSpec;
      readonly key: string;
      /** Position of the first row of this step. */
      readonly firstPosition: number;
      /** Rows that were kept before, after those of the public prefix. */
      readonly past: number;
      /** Vectors of the prefix's keys and values, and how many of its rows; null: none. */
      readonly prefix: { readonly rows: number; readonly k: string; readonly v: string } | null;
    };

export type OperationName = Operation["name"];
