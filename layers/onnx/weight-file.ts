import { open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { cacheError, cacheFolder, temporaryName } from "../cache-folder.ts";
import { parameterBlocks } from "../model-parameters.ts";
import type { Model } from "../model.ts";
import type { ExternalRange } from "./graph-builder.ts";
import { parameterUses } from "../parameter-names.ts";
import { withLock } from "./preparation-lock.ts";

/** Tensors begin at pages, so that a process maps those of its own stages alone. */
const ALIGNMENT_BYTES = 4096;

/** Changes whenever the layout of the file does, or what is refused, so that no older file is taken for this one. */
const LAYOUT = "float32-3";

const FILE = "weights.bin";

/**
 * Every parameter of a model in float32, in one file that all processes on a machine map. Matrices of `linear` lie as [out, in]:
 * with few rows the product W xᵀ streams W as it is, where x W would first copy W into panels (measured: twice as fast at 16 rows).
 */
export interface WeightFile {
  /** Folder that holds the file; graphs name the file relative to it. */
  readonly folder: string;
  readonly path: string;
  readonly ranges: ReadonlyMap<string, WeightRange>;
}

export interface WeightRange extends ExternalRange {
  /** As stored here: [out, in] for matrices of `linear`, else canonical. */
  readonly shape: readonly number[];
}

/**
 * The weight file of a model, made on first use in the cache folder under the model's fingerprint. Of a large matrix some rows at a
 * time are in memory. Safe when several processes start at once: one writes, the others wait, and readers only ever see the whole file.
 * @throws CacheError where the file can't be written; ModelFileError where the model can't be read.
 */
export async function prepareWeights(model: Model): Promise<WeightFile> {
  const folder = await cacheFolder("weights", `${model.fingerprint}-${LAYOUT}`);
  const file = path.join(folder, FILE);
  const linear = linearWeights(model);
  const { ranges, bytes } = layOut(model, linear);
  const isThere = async (): Promise<boolean> => (await stat(file).catch(() => null))?.size === bytes;
  if (!(await isThere())) {
    await withLock(`${file}.lock`, async () => {
      if (!(await isThere())) await write(model, linear, ranges, bytes, file);
    });
  }
  return { folder, path: file, ranges };
}

/** Names of the matrices that the program uses in `linear`. */
function linearWeights({ spec, program }: Model): ReadonlySet<string> {
  const uses = parameterUses((a) => {
    for (let layer = 0; layer < spec.layers; layer++) {
      program.pre(a, spec, layer, null);
      program.post(a, spec, layer, null, null);
    }
  });
  return new Set([...uses].filter(([, use]) => use === "linear").map(([name]) => name));
}

function layOut(model: Model, linear: ReadonlySet<string>): { ranges: Map<string, WeightRange>; bytes: number } {
  const ranges = new Map<string, WeightRange>();
  let offset = 0;
  for (const [name, { spec }] of model.parameters) {
    const bytes = spec.shape.reduce((a, b) => a * b, 1) * Float32Array.BYTES_PER_ELEMENT;
    ranges.set(name, { file: FILE, offset, bytes, shape: linear.has(name) ? spec.shape.toReversed() : spec.shape });
    offset = Math.ceil((offset + bytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  }
  return { ranges, bytes: offset };
}

async function write(
  model: Model,
  linear: ReadonlySet<string>,
  ranges: ReadonlyMap<string, WeightRange>,
  bytes: number,
  file: string,
): Promise<void> {
  const temporary = temporaryName(file);
  const failed = (cause: unknown): never => {
    throw cacheError(file, `room for ${bytes} bytes`, cause);
  };
  const handle = await open(temporary, "wx").catch(failed);
  try {
    for (const [name, { offset }] of ranges) {
      const parameter = model.parameters.get(name)!;
      let at = offset;
      for await (const block of parameterBlocks(model.source, parameter, linear.has(name) ? "outIn" : "inOut")) {
        await writeAll(handle, new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at).catch(failed);
        at += block.byteLength;
      }
    }
    await handle.truncate(bytes).catch(failed);
    await handle.close();
    await rename(temporary, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A write may be cut short by the system (2 GiB at most a call on Linux). */
async function writeAll(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, Math.min(bytes.length - at, 1 << 30), offset + at);
    at += bytesWritten;
  }
}
