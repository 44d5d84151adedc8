import assert from "node:assert/strict";
import { chmod, readdir, readFile, rename, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { openModel } from "../../../layers/model.ts";
import { Float64Product } from "../../../layers/onnx/float64-product.ts";
import { DEFAULT_MODEL } from "../../../protocols/fusion/deployment/open-deployment.ts";
import { KeptChecks } from "../../../protocols/smpc/check/kept-checks.ts";
import { ProductChecks } from "../../../protocols/smpc/check/product-checks.ts";
import type { InstructionOf } from "../../../protocols/smpc/plan/instruction.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const scratch = await scratchFolder();
process.env.WEIR_CACHE = path.join(scratch.path, "cache");

const model = await openModel(DEFAULT_MODEL);
const product = await Float64Product.open(1);
const folder = path.join(scratch.path, "cache", "checks", model.fingerprint);
const PRODUCTS = ["q", "k", "v"].map((part, at): InstructionOf<"linear"> => ({
  gate: "linear",
  x: 0,
  out: at + 1,
  matrix: {
    weight: `layers.0.${part}.weight`,
    transposed: false,
    rowGain: null,
    factor: 1,
    bias: null,
    biasFactor: 1,
    rowBias: null,
    centred: false,
    columnShifts: null,
    isNormalised: true,
  },
  matrixFracBits: 16,
}));
const sumsOf = async (): Promise<Float64Array> => (await (await ProductChecks.open(model, product)).of(PRODUCTS)).sums;

test("secret sums are kept between runs, for their user alone", async () => {
  const first = await sumsOf();
  const files = await readdir(folder);
  assert.equal(files.length, 2, "a seed, and one group of matrices");
  for (const file of files)
    assert.equal((await stat(path.join(folder, file))).mode & 0o077, 0, `${file} is not for others`);
  assert.deepEqual(await sumsOf(), first, "the same vectors, and sums under them");
});

test("damaged sums are made again, and never used", async () => {
  const first = await sumsOf();
  const file = path.join(
    folder,
    (await readdir(folder)).find((name) => name.endsWith(".bin"))!,
  );
  const bytes = await readFile(file);
  bytes[bytes.length - 1] ^= 1;
  await writeFile(file, bytes);
  assert.deepEqual(await sumsOf(), first);
  assert.notDeepEqual(await readFile(file), bytes);
});

test("sums are forgotten with their vectors once a party is caught", async () => {
  const first = await sumsOf();
  await (await ProductChecks.open(model, product)).forget();
  assert.notDeepEqual(await sumsOf(), first, "other vectors");
});

test("a seed that others may have read or put there is not used", { skip: process.getuid === undefined }, async () => {
  const { seed } = await KeptChecks.open(model);
  assert.deepEqual((await KeptChecks.open(model)).seed, seed, "as it should be, it is");
  const file = path.join(folder, "seed");
  const opened = async (): Promise<Uint8Array> => (await withoutWarnings(() => KeptChecks.open(model))).seed;
  for (const [where, open, own] of [
    [file, 0o644, 0o600],
    [folder, 0o755, 0o700],
    [folder, 0o730, 0o700],
  ] as const) {
    await chmod(where, open);
    assert.notDeepEqual(await opened(), seed, `${path.basename(where)}, mode ${open.toString(8)}`);
    await chmod(where, own);
  }
  const elsewhere = path.join(scratch.path, "planted");
  await rename(file, elsewhere);
  await symlink(elsewhere, file);
  assert.notDeepEqual(await opened(), seed, "a link to a file elsewhere");
  await rename(elsewhere, file);
  assert.deepEqual((await KeptChecks.open(model)).seed, seed);
});

async function withoutWarnings<T>(work: () => Promise<T>): Promise<T> {
  const write = process.stderr.write.bind(process.stderr);
  const written: string[] = [];
  process.stderr.write = (text: string | Uint8Array) => written.push(String(text)) > 0;
  try {
    return await work();
  } finally {
    process.stderr.write = write;
    assert.match(written.join(""), /^warning: cache .*: expected secret sums that are this user's alone/);
  }
}

test("a model that is made up keeps nothing", async () => {
  const { seed } = await KeptChecks.open({ ...model, source: undefined });
  const { seed: other } = await KeptChecks.open({ ...model, source: undefined });
  assert.notDeepEqual(seed, other);
});
