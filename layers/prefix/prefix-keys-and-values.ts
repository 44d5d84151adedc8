import type { Model } from "../model.ts";
import { onnxEngine } from "../onnx/engine.ts";
import { withLock } from "../onnx/preparation-lock.ts";
import { referenceEngine, type ReferenceModel } from "../reference/engine.ts";
import type { Word } from "../tensor.ts";
import {
  checkLayer,
  computePrefix,
  prefixHash,
  prefixInMemory,
  type KeysAndValues,
  type PublicPrefix,
} from "./public-prefix.ts";
import { PrefixFile } from "./prefix-file.ts";

/** Always as many, as sums of products may depend on it: all parties are to have the same bits. */
const THREADS = 2;

/** A model on disk, which has files, or one that is made up. */
export type PrefixedModel = ReferenceModel & { readonly fingerprint: string };

export interface PrefixOptions {
  /** Of the keys and values; by default that of ONNX Runtime, or for a model that is made up that of the reference. */
  readonly word?: Word;
  /** Told what takes long, and how far it is. */
  readonly report?: (doing: string) => void;
}

/** Layers that are being read: dozens of parties of one process ask for each at once. */
const readings = new Map<string, Promise<KeysAndValues>>();

/** Prefixes of models that are made up, by word and hash. */
const inMemory = new WeakMap<PrefixedModel, Map<string, Promise<PublicPrefix>>>();
const MOST_IN_MEMORY = 4;

/**
 * The keys and values of public tokens at positions 0, 1, ..., in the clear: read from the cache folder, or computed there first, once for
 * all processes of this machine; a file that was damaged is computed again. Layers are read when they are asked for. A model that is
 * made up has its prefixes in memory.
 * Throws RangeError for ids outside the vocabulary or more than the context, Error for a model that isn't causal (its public rows would
 * depend on secret ones), CacheError.
 */
export async function prefixKeysAndValues(
  model: PrefixedModel,
  ids: readonly number[],
  { word, report = () => {} }: PrefixOptions = {},
): Promise<PublicPrefix> {
  checkPrefixed(model.spec, ids);
  if (!isOnDisk(model)) return madeUp(model, ids, word ?? "float64");
  const { spec, program, fingerprint } = model;
  const file = await PrefixFile.at({
    fingerprint,
    hash: prefixHash(ids),
    word: word ?? "float32",
    rows: ids.length,
    columns: Array.from({ length: spec.layers }, (_, layer) => {
      const { kvHeads, headDim } = program.attention(spec, layer);
      return kvHeads * headDim;
    }),
  });
  /** `isGood`: what another process may have written meanwhile. */
  const make = (isGood: () => Promise<boolean>): Promise<void> =>
    withLock(`${file.path}.lock`, async () => {
      if (!(await isGood())) await file.write(computed(model, ids, word ?? "float32", report));
    });
  if (!(await file.isThere())) await make(() => file.isThere());
  const read = async (layer: number): Promise<KeysAndValues> => {
    const kept = await file.read(layer);
    if (kept !== null) return kept;
    await make(async () => (await file.read(layer)) !== null);
    const again = await file.read(layer);
    if (again === null)
      throw new Error(`cache ${file.path}: expected the keys and values just written, got others; check the disk`);
    return again;
  };
  return {
    ids,
    async layer(layer) {
      checkLayer(layer, spec.layers);
      const key = `${file.path} ${layer}`;
      let reading = readings.get(key);
      if (reading === undefined) {
        reading = read(layer).finally(() => readings.delete(key));
        readings.set(key, reading);
      }
      return reading;
    },
  };
}

/** Throws Error for a model that isn't causal, RangeError for ids that it doesn't have. */
export function checkPrefixed({ causal, modelType, vocabulary }: Model["spec"], ids: readonly number[]): void {
  if (ids.length > 0 && !causal)
    throw new Error(
      `public prefix: expected a causal model, got ${modelType}: its rows of public tokens depend on the secret ones; use --public-prefix none`,
    );
  const wrong = ids.find((id) => id >= vocabulary);
  if (wrong !== undefined) throw new RangeError(`public prefix: expected token ids below ${vocabulary}, got ${wrong}`);
}

async function* computed(
  model: Model,
  ids: readonly number[],
  word: Word,
  report: (doing: string) => void,
): AsyncGenerator<KeysAndValues> {
  const what = `computing keys and values of ${ids.length} public tokens, once for this model`;
  report(what);
  const engine = await (word === "float32"
    ? onnxEngine(model, { threads: THREADS, stages: ["embed"] })
    : referenceEngine(model));
  try {
    let layer = 0;
    for await (const rows of computePrefix(engine, ids)) {
      yield rows;
      report(`${what}: ${++layer} of ${model.spec.layers} layers`);
    }
  } finally {
    await engine.close();
  }
}

function madeUp(model: PrefixedModel, ids: readonly number[], word: Word): Promise<PublicPrefix> {
  if (word !== "float64")
    throw new Error(`public prefix: expected float64 for a model that is not on disk, got ${word}`);
  let known = inMemory.get(model);
  if (known === undefined) inMemory.set(model, (known = new Map()));
  const hash = prefixHash(ids);
  let made = known.get(hash);
  if (made === undefined) {
    made = referenceEngine(model).then((engine) => prefixInMemory(engine, ids));
    known.set(hash, made);
    made.catch(() => known.delete(hash));
    for (const oldest of known.keys()) {
      if (known.size <= MOST_IN_MEMORY) break;
      known.delete(oldest);
    }
  }
  return made;
}

const isOnDisk = (model: PrefixedModel): model is PrefixedModel & Model =>
  ((model as Partial<Model>).source?.files.length ?? 0) > 0;
