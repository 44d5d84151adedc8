import { createHash } from "node:crypto";
import { attentionOutput } from "../forward-pass.ts";
import type { StageEngine } from "../stage-engine.ts";
import { allocate, rowRange, type Tensor } from "../tensor.ts";

/** Tokens that a prompt may begin with in the open: the longest of a session, so that its description stays small. */
export const MOST_PREFIX_TOKENS = 8192;

/** Rows that attend together: what bounds the memory of their logits. */
const BLOCK_ROWS = 256;

/** Keys and values of one layer, positions applied: [prefix, kvHeads · headDim] each. */
export interface KeysAndValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** The keys and values of tokens that everybody knows, at positions 0, 1, ...: functions of these tokens and of the public weights alone. */
export interface PublicPrefix {
  readonly ids: readonly number[];
  /** Those of one layer. Throws RangeError for a layer that there isn't. */
  layer(layer: number): Promise<KeysAndValues>;
}

/** SHA-256 (hex) of token ids: what a prefix is kept by. */
export const prefixHash = (ids: readonly number[]): string =>
  createHash("sha256").update(Int32Array.from(ids)).digest("hex");

/**
 * Yields the keys and values of a prefix, layer by layer, in the word of `engine`, which needs its stages embed, pre, attend and post.
 * Throws RangeError for ids outside the vocabulary, or more of them than the model has positions.
 */
export async function* computePrefix(engine: StageEngine, ids: readonly number[]): AsyncGenerator<KeysAndValues> {
  const { layers, maxPositions, width } = engine.spec;
  if (ids.length > maxPositions)
    throw new RangeError(`public prefix: expected at most ${maxPositions} tokens (the context), got ${ids.length}`);
  const all = ids.map((_, position) => position);
  const x = { data: allocate(engine.word, ids.length * width), shape: [ids.length, width] };
  for (const [from, to] of blocks(ids.length))
    rowRange(x, from, to).data.set((await engine.embed(ids.slice(from, to), all.slice(from, to))).data);
  for (let layer = 0; layer < layers; layer++) {
    const { kvHeads, headDim } = engine.attention(layer);
    const [k, v] = [0, 0].map(() => ({
      data: allocate(engine.word, ids.length * kvHeads * headDim),
      shape: [ids.length, kvHeads * headDim],
    }));
    // Rows see none after their own, so a block needs the blocks before it alone.
    for (const [from, to] of blocks(ids.length)) {
      const [rows, positions] = [rowRange(x, from, to), all.slice(from, to)];
      const projections = await engine.pre(layer, rows, positions);
      rowRange(k, from, to).data.set(projections.k.data);
      rowRange(v, from, to).data.set(projections.v.data);
      if (layer === layers - 1) continue;
      const [keys, values] = [rowRange(k, 0, to), rowRange(v, 0, to)];
      const partial = await engine.attend(layer, projections.q, positions, keys, values, all.slice(0, to));
      rows.data.set((await engine.post(layer, rows, attentionOutput(partial))).data);
    }
    yield { k, v };
  }
}

/** The same, all layers in memory. Throws what `computePrefix` throws. */
export async function prefixInMemory(engine: StageEngine, ids: readonly number[]): Promise<PublicPrefix> {
  const kept: KeysAndValues[] = [];
  for await (const layer of computePrefix(engine, ids)) kept.push(layer);
  return {
    ids,
    async layer(layer) {
      checkLayer(layer, kept.length);
      return kept[layer];
    },
  };
}

/** Throws RangeError unless a layer is one of the model's. */
export function checkLayer(layer: number, layers: number): void {
  if (!Number.isInteger(layer) || layer < 0 || layer >= layers)
    throw new RangeError(`public prefix: expected a layer of 0 to ${layers - 1}, got ${layer}`);
}

function blocks(length: number): (readonly [from: number, to: number])[] {
  return Array.from({ length: Math.ceil(length / BLOCK_ROWS) }, (_, block) => [
    block * BLOCK_ROWS,
    Math.min(length, (block + 1) * BLOCK_ROWS),
  ]);
}
