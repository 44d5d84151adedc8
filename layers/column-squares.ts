import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { cacheFolder, writeAtomically } from "./cache-folder.ts";
import type { Model } from "./model.ts";
import type { ParameterSpec } from "./program.ts";

/** Changes whenever the arithmetic changes. */
const REVISION = "1";
const DIGEST_BYTES = 32;

/** A model on disk, or one that is made up, which has no files. */
export type MeasuredModel = Pick<Model, "fingerprint" | "load"> & {
  readonly parameters: ReadonlyMap<string, { readonly spec: ParameterSpec }>;
  readonly source?: Model["source"];
};

/** Sums of squares of the columns of every matrix of the layers, by its name, [outputs]: tables outside the layers are left out. */
export type ColumnSquares = ReadonlyMap<string, Float64Array>;

/**
 * Sums of squares of the columns of a model's matrices, from the cache folder, or computed once: matrix by matrix, so that no more than one
 * is in memory. `report` is told. Throws ModelFileError, CacheError.
 */
export async function columnSquares(
  model: MeasuredModel,
  report: (doing: string) => void = () => {},
): Promise<ColumnSquares> {
  const names = matrixNames(model);
  const isOnDisk = (model.source?.files.length ?? 0) > 0;
  const file = isOnDisk ? path.join(await cacheFolder("norms"), `${model.fingerprint}-${REVISION}.bin`) : null;
  const kept = file === null ? null : await read(file, model, names);
  if (kept !== null) return kept;
  report("measuring the matrices of the model, once");
  const squares = new Map<string, Float64Array>();
  for (const name of names) {
    squares.set(name, squaresOf(await model.load(name), outputsOf(model, name)));
    if (squares.size % 40 === 0)
      report(`measuring the matrices of the model, once: ${squares.size} of ${names.length}`);
  }
  if (file === null) return squares;
  const data = Buffer.concat([...squares.values()].map(bytesOf));
  await writeAtomically(file, Buffer.concat([digest(data), data]));
  return squares;
}

/** The matrices of the layers, in the order of the model. */
const matrixNames = ({ parameters }: MeasuredModel): string[] =>
  [...parameters].flatMap(([name, { spec }]) => (spec.shape.length === 2 && name.startsWith("layers.") ? [name] : []));

const outputsOf = ({ parameters }: MeasuredModel, name: string): number => parameters.get(name)!.spec.shape[1];

/** Row by row in float64, as CombinedMatrix sums them. */
function squaresOf(weights: Float32Array, outputs: number): Float64Array {
  const squares = new Float64Array(outputs);
  for (let at = 0; at < weights.length; at += outputs)
    for (let j = 0; j < outputs; j++) squares[j] += weights[at + j] * weights[at + j];
  return squares;
}

/** null: none, or of another size, or damaged. */
async function read(file: string, model: MeasuredModel, names: readonly string[]): Promise<ColumnSquares | null> {
  const bytes = await readFile(file).catch(() => null);
  const numbers = names.reduce((sum, name) => sum + outputsOf(model, name), 0);
  if (bytes?.length !== DIGEST_BYTES + 8 * numbers) return null;
  const data = bytes.subarray(DIGEST_BYTES);
  if (!digest(data).equals(bytes.subarray(0, DIGEST_BYTES))) return null;
  const all = new Float64Array(Uint8Array.from(data).buffer);
  const squares = new Map<string, Float64Array>();
  let at = 0;
  for (const name of names) squares.set(name, all.subarray(at, (at += outputsOf(model, name))));
  return squares;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const digest = (data: Uint8Array): Buffer => createHash("sha256").update(data).digest();
