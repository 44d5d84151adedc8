import path from "node:path";
import { ModelFileError, printable } from "../model-file-error.ts";
import type { WeightSource } from "../weight-source.ts";
import { openModelFile, type ModelFile } from "./byte-range.ts";
import { readGgufHeader, type GgufEntry, type GgufValue } from "./gguf-header.ts";
import { checkRows } from "./row-range.ts";

/** Blocks are decoded from a staging buffer of about this size. */
const STAGING_BYTES = 1 << 20;

export interface GgufSource extends WeightSource {
  readonly format: "gguf";
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

/**
 * Opens a GGUF file (version 2 or 3): its metadata, and its tensors as rows of float32.
 * @throws ModelFileError naming the file and the fault; so for a tensor of a type that isn't supported.
 */
export async function openGguf(filePath: string): Promise<GgufSource> {
  const file = await openModelFile(path.resolve(filePath));
  try {
    const { metadata, tensors } = readGgufHeader(file);
    const parts = metadata.get("split.count");
    if (typeof parts === "number" && parts > 1) {
      const advice = "merge them with gguf-split --merge";
      throw new ModelFileError(file.path, `split.count: expected a whole model, got one of ${parts} parts; ${advice}`);
    }
    return {
      format: "gguf",
      files: [file.path],
      metadata,
      tensors: new Map([...tensors].map(([name, { shape, format }]) => [name, { shape, type: format.name }])),
      readRows(name, fromRow, toRow, target) {
        const entry = tensors.get(name);
        if (!entry) throw new ModelFileError(file.path, `expected tensor ${printable(name)}, got none of that name`);
        return readRows(file, entry, fromRow, toRow, target);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readRows(file: ModelFile, entry: GgufEntry, fromRow: number, toRow: number, target: Float32Array) {
  const columns = checkRows(file.path, entry.name, entry.shape, fromRow, toRow, target);
  const { elements, bytes, decode } = entry.format;
  const first = (fromRow * columns) / elements;
  const last = (toRow * columns) / elements;
  if (!Number.isInteger(first) || !Number.isInteger(last)) {
    throw new RangeError(
      `readRows ${printable(entry.name)}: expected rows of whole ${entry.format.name} blocks, got parts of one`,
    );
  }
  if (entry.format.name === "F32") {
    // The file's words are the machine's words: no staging.
    return file.readInto(entry.offset + first * 4, new Uint8Array(target.buffer, target.byteOffset, target.byteLength));
  }
  const most = Math.max(1, Math.floor(STAGING_BYTES / bytes));
  const staging = new Uint8Array(Math.min(most, last - first) * bytes);
  for (let block = first; block < last; block += most) {
    const count = Math.min(most, last - block);
    await file.readInto(entry.offset + block * bytes, staging.subarray(0, count * bytes));
    decode(staging, count, target, (block - first) * elements);
  }
}
