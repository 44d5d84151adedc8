import { readSafetensorsFile, type FileTensor } from "../../layers/weights/safetensors-file.ts";

/** What another framework computed for one prompt. Tensors that the file does not hold are empty or null. */
export interface GoldenPrompt {
  /** "" or "P.", as in the file. */
  readonly prefix: string;
  readonly ids: readonly number[];
  /** I -> hidden state I, [T, d]: 0 is the embedding, I after block I; a decoder's last one has had the final norm */
  readonly hidden: ReadonlyMap<number, Float32Array>;
  /** [T, V] */
  readonly logits: Float32Array | null;
  /** [V] */
  readonly lastLogits: Float32Array | null;
  /** The most likely token of each row, [T] */
  readonly topIds: readonly number[] | null;
  readonly greedy: readonly number[] | null;
}

/** Reads the prompts of a golden file (the format of tests/fixtures/models/make.py, prefixes "P." optional). Throws Error naming the file. */
export async function readGolden(file: string): Promise<GoldenPrompt[]> {
  const tensors = await readSafetensorsFile(file);
  const prefixes = [...tensors.keys()]
    .filter((name) => name.endsWith("input_ids"))
    .map((name) => name.slice(0, -"input_ids".length));
  if (prefixes.length === 0)
    throw new Error(
      `golden ${file}: expected a tensor input_ids (or P.input_ids), got ${[...tensors.keys()].slice(0, 5).join(", ") || "none"}`,
    );
  return prefixes.sort().map((prefix) => goldenPrompt(file, tensors, prefix));
}

function goldenPrompt(file: string, tensors: ReadonlyMap<string, FileTensor>, prefix: string): GoldenPrompt {
  const ids = integers(file, tensors, `${prefix}input_ids`)!;
  const hidden = new Map<number, Float32Array>();
  for (const name of tensors.keys()) {
    const layer = name.startsWith(`${prefix}hidden.`) ? name.slice(`${prefix}hidden.`.length) : "";
    if (/^\d+$/.test(layer)) hidden.set(Number(layer), floats(file, tensors, name)!);
  }
  const logits = floats(file, tensors, `${prefix}logits`);
  const top = tensors.get(`${prefix}top_ids`);
  const topOfRow =
    top === undefined ? null : integers(file, tensors, `${prefix}top_ids`)!.filter((_, at) => at % top.shape[1] === 0);
  return {
    prefix,
    ids,
    hidden,
    logits,
    lastLogits: floats(file, tensors, `${prefix}logits_last`) ?? logits?.slice(-logits.length / ids.length) ?? null,
    topIds: topOfRow ?? (logits === null ? null : rowArgMax(logits, ids.length)),
    greedy: integers(file, tensors, `${prefix}greedy`),
  };
}

/** The index of the largest entry of each of `rows` rows. */
export function rowArgMax(values: ArrayLike<number>, rows: number): number[] {
  const columns = values.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let best = row * columns;
    for (let at = best; at < (row + 1) * columns; at++) if (values[at] > values[best]) best = at;
    return best - row * columns;
  });
}

function floats(file: string, tensors: ReadonlyMap<string, FileTensor>, name: string): Float32Array | null {
  const tensor = tensors.get(name);
  if (tensor === undefined) return null;
  if (!(tensor.data instanceof Float32Array))
    throw new Error(`golden ${file}: expected float32 values in ${name}, got ${tensor.type}`);
  return tensor.data;
}

function integers(file: string, tensors: ReadonlyMap<string, FileTensor>, name: string): number[] | null {
  const tensor = tensors.get(name);
  if (tensor === undefined) return null;
  if (!(tensor.data instanceof BigInt64Array || tensor.data instanceof Int32Array))
    throw new Error(`golden ${file}: expected integers in ${name}, got ${tensor.type}`);
  return Array.from<number | bigint, number>(tensor.data, Number);
}
