import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { printable } from "../model-file-error.ts";

/** A tensor to write, row-major. float64, float32, int64, int32 and uint8 data are stored as F64, F32, I64, I32 and U8. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
}

/** Writes tensors one by one as they come, holding none of them. */
export interface SafetensorsWriter {
  /**
   * Throws RangeError where the shape doesn't fit the data, or the name was used before; what the system refuses (ENOSPC, ...) as it is.
   * One call at a time.
   */
  append(tensor: TensorToWrite): Promise<void>;
  /** Puts the file together; it is complete under its name, or nothing of it is there. */
  close(): Promise<void>;
  /** Gives the file up: nothing of it is left. */
  abandon(): Promise<void>;
}

/**
 * Begins a safetensors file. The header comes first in it and needs every shape, so data waits in three files beside it until `close`:
 * 8-byte words, which come first, 4-byte words, and bytes; so every tensor is aligned to its words. `mode`: who may read all of them,
 * less what the umask takes away.
 */
export async function createSafetensorsWriter(
  path: string,
  metadata: Readonly<Record<string, string>> = {},
  mode = 0o666,
): Promise<SafetensorsWriter> {
  const partial = `${path}.partial`;
  const spools: Spool[] = [];
  const abandon = async (): Promise<void> => {
    await Promise.all([...spools.map((spool) => spool.remove()), rm(partial, { force: true })]);
  };
  try {
    for (const part of ["words8", "words4", "bytes"]) spools.push(await createSpool(`${path}.${part}.partial`, mode));
  } catch (error) {
    await abandon();
    throw error;
  }
  const entries = new Map<
    string,
    { dtype: string; shape: readonly number[]; spool: Spool; from: number; bytes: number }
  >();
  return {
    async append({ name, shape, data }) {
      const elements = shape.reduce((product, size) => product * size, 1);
      if (elements !== data.length) {
        throw new RangeError(
          `tensor ${printable(name)}: expected ${elements} elements for [${shape.join(", ")}], got ${data.length}`,
        );
      }
      if (name === "__metadata__" || entries.has(name)) {
        throw new RangeError(`tensor ${printable(name)}: expected a name that isn't used yet, got it again`);
      }
      const spool = spools[data.BYTES_PER_ELEMENT === 8 ? 0 : data.BYTES_PER_ELEMENT === 4 ? 1 : 2];
      entries.set(name, { dtype: typeOf(data), shape: [...shape], spool, from: spool.bytes, bytes: data.byteLength });
      await spool.append(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    },
    async close() {
      try {
        await writeWhole();
        await rename(partial, path);
      } catch (error) {
        await abandon();
        throw error;
      }
    },
    abandon,
  };

  async function writeWhole(): Promise<void> {
    const file = await open(partial, "w", mode);
    try {
      const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
      for (const [name, { dtype, shape, spool, from, bytes }] of entries) {
        const begin = from + spools.slice(0, spools.indexOf(spool)).reduce((sum, before) => sum + before.bytes, 0);
        header.push([name, { dtype, shape, data_offsets: [begin, begin + bytes] }]);
      }
      await file.writeFile(frameHeader(JSON.stringify(Object.fromEntries(header))));
      for (const spool of spools) await spool.drainTo(file);
    } finally {
      await file.close();
    }
  }
}

/** Writes one safetensors file of these tensors. Throws RangeError where a shape doesn't fit its data, or a name is used twice. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const writer = await createSafetensorsWriter(path, metadata);
  try {
    for (const tensor of tensors) await writer.append(tensor);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  await writer.close();
}

const typeOf = (data: TensorToWrite["data"]): string => {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Float64Array) return "F64";
  if (data instanceof Uint8Array) return "U8";
  return data instanceof Int32Array ? "I32" : "I64";
};

/** The length in 8 bytes, then the JSON, padded with spaces so that the data begins at a multiple of 8. */
function frameHeader(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const framed = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(framed.buffer).setBigUint64(0, BigInt(framed.length - 8), true);
  framed.set(text, 8);
  return framed;
}

interface Spool {
  readonly bytes: number;
  append(data: Uint8Array): Promise<void>;
  /** Copies all of it to the end of `file` and removes it. */
  drainTo(file: FileHandle): Promise<void>;
  remove(): Promise<void>;
}

async function createSpool(path: string, mode: number): Promise<Spool> {
  const handle = await open(path, "w", mode);
  const remove = async (): Promise<void> => {
    await handle.close().catch(() => {}); // it may be closed already
    await rm(path, { force: true });
  };
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    async append(data) {
      bytes += data.length;
      await handle.writeFile(data);
    },
    async drainTo(file) {
      await handle.close();
      for await (const chunk of createReadStream(path)) await file.writeFile(chunk as Uint8Array);
      await remove();
    },
    remove,
  };
}
