/**
 * The values of a plan. There are three kinds (a fourth, public, is data of an instruction):
 *
 *   share  every party holds an additive share in Z_{2^ringBits}
 *   wire   the parties hold X = x + r mod 2^bits and shares of r mod 2^bits; the dealer knows r
 *   client the client, who owns the prompt, holds real numbers in float64; nobody else holds anything
 *
 * All values are flat arrays of `rows * columns` words, row-major; attention entries are ragged (see AttentionLayout) and have
 * columns = 1, rows = number of visible entries.
 */

declare const value: unique symbol;

/** Index of a value in `Plan.values`: any number will do, and types can tell a field that names a value from one that counts. */
export type ValueId = number & { readonly [value]?: never };

/** Is T the type of a field that names a value? */
export type IsValueId<T> = typeof value extends keyof T ? true : false;

export interface ShareInfo {
  readonly kind: "share";
  readonly rows: number;
  readonly columns: number;
  /** A real number x is the word round(x * 2^fracBits). */
  readonly fracBits: number;
  /** K: low bits of a word that consumers need; set by the builder's backward pass. */
  readonly ringBits: number;
}

export interface WireInfo {
  readonly kind: "wire";
  readonly rows: number;
  readonly columns: number;
  readonly fracBits: number;
  /** k: the word is x + r mod 2^bits; x is read as signed, so |x| < 2^(bits - 1) units, or a quarter of the ring where it is extended. */
  readonly bits: number;
}

export interface ClientInfo {
  readonly kind: "client";
  readonly rows: number;
  readonly columns: number;
  /** 0: its numbers are floats. */
  readonly fracBits: number;
}

export type ValueInfo = ShareInfo | WireInfo | ClientInfo;

/** What a plan says of each of its values. */
export type InfoOf = (id: ValueId) => ValueInfo;

/** The share that is described. Throws Error for another kind. */
export function shareOf(info: ValueInfo): ShareInfo {
  if (info.kind !== "share") throw new Error(`value: expected a share, got a ${info.kind} value`);
  return info;
}

/** The wire that is described. Throws Error naming `gate` for another kind. */
export function wireOf(info: ValueInfo, gate: string): WireInfo {
  if (info.kind !== "wire") throw new Error(`${gate}: expected a wire, got a ${info.kind} value`);
  return info;
}
