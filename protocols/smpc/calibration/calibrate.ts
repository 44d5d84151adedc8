import type { Model } from "../../../layers/model.ts";
import type { ModelRanges, SiteRange } from "../lowering/ranges.ts";
import type { Batch } from "./batch.ts";
import { observeInRuntime } from "./observe-in-runtime.ts";
import { observeLayers } from "./observe-layers.ts";
import { readableModel, type LayerSpan } from "./readable-model.ts";

/** Token ids to observe, and what they are, for people. */
export interface CalibrationText {
  readonly source: string;
  readonly sequences: readonly (readonly number[])[];
  /** Tokens that stand before the text of each sequence and aren't of it: a chat template's opening, say; absent: none anywhere. */
  readonly openings?: readonly number[];
}

/**
 * Whose rows are observed. secret: all. public: those behind a public prefix, whatever it is: none of an opening, and not row 0, which
 * attracts attention and has the largest values.
 */
export type FirstRow = "secret" | "public";

/** Rows that run together: bounds what is in memory, the logits of a large vocabulary above all. */
const BATCH_ROWS = 256;
/** Tokens that a causal model is also shown alone, as row 0 depends on token 0 only and is the one with the outliers. */
const FIRST_TOKENS = 2048;

/**
 * Ranges of all sites of the layers in `span`, observed on `text`, rows as `firstRow` says; margins are not applied (see `withMargin`).
 * The layers before `span.from` run too. Throws RangeError for token ids outside the vocabulary, or no text.
 */
export async function calibrate(
  model: Model,
  text: CalibrationText,
  span: LayerSpan,
  onStep?: (text: string) => void,
  firstRow: FirstRow = "secret",
): Promise<ModelRanges> {
  const { spec } = model;
  checkSpan(span, spec.layers);
  const observed = text.sequences
    .map((all, at): Sequence => {
      const ids = all.slice(0, spec.maxPositions);
      return { ids, publicRows: firstRow === "secret" ? 0 : Math.max(1, text.openings?.[at] ?? 0) };
    })
    .filter(({ ids, publicRows }) => ids.length > publicRows);
  if (observed.length === 0) throw new RangeError("calibration text: expected some tokens, got none");
  const sequences = observed.map(({ ids }) => ids);
  const first = spec.causal && firstRow === "secret" ? firstTokens(spec.vocabulary) : [];
  const batches = [...batchesOf(observed), ...batchesOf(first.map((id) => ({ ids: [id], publicRows: 0 })))];
  // Weights that lie in no file (made-up models) can't be mapped.
  const statistics =
    model.source.files.length > 0
      ? await observeInRuntime(model, batches, span, onStep)
      : await observeLayers(readableModel(model), batches, { ...span, from: 0 }, onStep);
  const tokens = sequences.reduce((sum, { length }) => sum + length, 0);
  const alone = first.length > 0 ? `; ${first.length} first tokens alone` : "";
  const behind = firstRow === "public" ? "; rows behind public ones" : "";
  const sites: Record<string, SiteRange> = {};
  for (const [site, range] of statistics.ranges()) if (isIn(span, site)) sites[site] = range;
  return {
    model: model.fingerprint,
    source: `${text.source}: ${sequences.length} texts, ${tokens} tokens${alone}${behind}`,
    sites,
  };
}

/** Throws RangeError unless the layers are some of the model's, the head after its last one. */
export function checkSpan({ from, to, head }: LayerSpan, layers: number): void {
  if (![from, to].every(Number.isInteger) || from < 0 || to <= from || to > layers)
    throw new RangeError(`layers: expected some of 0 to ${layers - 1}, got ${from} to ${to - 1}`);
  if (head && to !== layers) throw new RangeError(`head: expected after layer ${layers - 1}, got after ${to - 1}`);
}

function isIn({ from, to, head }: LayerSpan, site: string): boolean {
  const [room, layer] = site.split(".");
  return room === "head" ? head : room === "layers" && Number(layer) >= from && Number(layer) < to;
}

/** Half of them the first ones (the commonest of a byte-pair vocabulary), the rest spread evenly. */
function firstTokens(vocabulary: number): number[] {
  if (vocabulary <= FIRST_TOKENS) return Array.from({ length: vocabulary }, (_, id) => id);
  const half = FIRST_TOKENS / 2;
  const spread = Array.from({ length: half }, (_, i) => half + Math.floor((i * (vocabulary - half)) / half));
  return [...Array.from({ length: half }, (_, id) => id), ...spread];
}

/** Token ids, of which the first rows are not observed. */
interface Sequence {
  readonly ids: readonly number[];
  readonly publicRows: number;
}

function batchesOf(sequences: readonly Sequence[]): Batch[] {
  const batches: { ids: number[]; lengths: number[]; publicRows: number[]; rows: null }[] = [];
  for (const { ids, publicRows } of sequences) {
    let last = batches[batches.length - 1];
    if (last === undefined || last.ids.length + ids.length > BATCH_ROWS)
      batches.push((last = { ids: [], lengths: [], publicRows: [], rows: null }));
    last.ids.push(...ids);
    last.lengths.push(ids.length);
    last.publicRows.push(publicRows);
  }
  return batches;
}
