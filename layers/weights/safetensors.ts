import { stat } from "node:fs/promises";
import path from "node:path";
import { readJsonFile } from "../json-file.ts";
import { ModelFileError, printable } from "../model-file-error.ts";
import type { WeightSource } from "../weight-source.ts";
import { asModelFileError, openModelFile, type ModelFile } from "./byte-range.ts";
import { decodeBfloat16, decodeFloat16 } from "./half-floats.ts";
import { checkRows } from "./row-range.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors-header.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** An index of 100 000 tensors takes some 10 MB. */
const MAX_INDEX_BYTES = 32 << 20;
/** Staging for types that are decoded: small enough for a core's cache to hold a good part of it. */
const STAGING_BYTES = 1 << 20;

/**
 * Opens the weights of a folder (model.safetensors, or the shards of model.safetensors.index.json) or of one .safetensors file.
 * F32, F16 and BF16 can be read as rows of float32.
 * @throws ModelFileError naming the file and the fault.
 */
export async function openSafetensors(
  folderOrFile: string,
): Promise<WeightSource & { readonly format: "safetensors" }> {
  const files: ModelFile[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    const stored = new Map<string, { file: ModelFile; entry: SafetensorsEntry }>();
    const shards = await findShards(path.resolve(folderOrFile));
    for (const [filePath, expected] of shards) {
      const file = await openModelFile(filePath);
      files.push(file);
      const { tensors } = await readSafetensorsHeader(file);
      for (const name of expected ?? []) {
        if (!tensors.has(name))
          throw new ModelFileError(filePath, `expected tensor ${printable(name)} by the index, got none`);
      }
      for (const [name, entry] of tensors) {
        if (expected && !expected.has(name)) {
          throw new ModelFileError(
            filePath,
            `tensor ${printable(name)}: expected it in the index for this file, got none`,
          );
        }
        stored.set(name, { file, entry });
      }
    }
    return {
      format: "safetensors",
      files: files.map((file) => file.path),
      tensors: new Map([...stored].map(([name, { entry }]) => [name, { shape: entry.shape, type: entry.type }])),
      readRows(name, fromRow, toRow, target) {
        const found = stored.get(name);
        if (!found)
          throw new ModelFileError(files[0].path, `expected tensor ${printable(name)}, got none of that name`);
        return readRows(found.file, found.entry, fromRow, toRow, target);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readRows(
  file: ModelFile,
  entry: SafetensorsEntry,
  fromRow: number,
  toRow: number,
  target: Float32Array,
) {
  const columns = checkRows(file.path, entry.name, entry.shape, fromRow, toRow, target);
  const { type } = entry;
  const first = fromRow * columns;
  if (type === "F32") {
    // The file's words are the machine's words: no staging.
    return file.readInto(entry.offset + first * 4, new Uint8Array(target.buffer, target.byteOffset, target.byteLength));
  }
  if (type !== "F16" && type !== "BF16") {
    throw new ModelFileError(file.path, `${printable(entry.name)}: expected weights of F32, F16 or BF16, got ${type}`);
  }
  const decode = type === "F16" ? decodeFloat16 : decodeBfloat16;
  const staging = new Uint8Array(Math.min(STAGING_BYTES, target.length * 2));
  for (let at = 0; at < target.length; at += staging.length / 2) {
    const elements = Math.min(staging.length / 2, target.length - at);
    await file.readInto(entry.offset + (first + at) * 2, staging.subarray(0, elements * 2));
    decode(new Uint16Array(staging.buffer, 0, elements), target, at);
  }
}

/** Files to read, each with the tensors that the index says are in it (null: no index). */
async function findShards(folderOrFile: string): Promise<Map<string, Set<string> | null>> {
  if (!(await isFolder(folderOrFile))) return new Map([[folderOrFile, null]]);
  const single = path.join(folderOrFile, SINGLE);
  if (await exists(single)) return new Map([[single, null]]);
  const indexPath = path.join(folderOrFile, INDEX);
  if (!(await exists(indexPath))) {
    throw new ModelFileError(folderOrFile, `expected ${SINGLE} or ${INDEX} in the folder, got neither`);
  }
  const { weight_map: map } = await readJsonFile(indexPath, MAX_INDEX_BYTES);
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    throw new ModelFileError(indexPath, `weight_map: expected an object of tensor names, got ${printable(map)}`);
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, file] of Object.entries(map)) {
    // A name alone: a path could lead the reader out of the folder.
    if (typeof file !== "string" || !/^[A-Za-z0-9_][\w.-]*\.safetensors$/.test(file)) {
      const got = printable(file);
      throw new ModelFileError(
        indexPath,
        `${printable(name)}: expected the name of a .safetensors file in the folder, got ${got}`,
      );
    }
    const shard = path.join(folderOrFile, file);
    const names = shards.get(shard) ?? new Set();
    shards.set(shard, names.add(name));
  }
  return shards;
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch (cause) {
    throw asModelFileError(file, cause);
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
