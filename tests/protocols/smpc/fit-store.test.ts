/** Fits on disk: what is kept, what is made again, and that nothing of it changes a fit. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { FitStore, type FitRequest } from "../../../protocols/smpc/fit/fit-store.ts";
import { scratchFolder } from "../../layers/scratch-folder.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../../..");
const scratch = await scratchFolder();
const useFolder = (name: string): string => {
  process.env.WEIR_CACHE = path.join(scratch.path, name);
  return path.join(scratch.path, name, "series");
};

const schema = z.strictObject({ numbers: z.array(z.number()) });
const store = (name = "test"): FitStore<z.infer<typeof schema>> => new FitStore(name, schema, 8);

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A request whose value holds its key's length, and how often it was made. */
function request(key: string): FitRequest<z.infer<typeof schema>> & { made: number } {
  return {
    key,
    made: 0,
    make() {
      this.made++;
      return { numbers: [key.length, 1 / 3, 1e-300] };
    },
    agrees: ({ numbers }) => numbers[0] === key.length,
  };
}

it("keeps a fit for the process and for the next one, to the last bit, by its request", async () => {
  const folder = useFolder("kept");
  const [first, again, other] = [request("a"), request("a"), request("bb")];
  const fits = store();
  assert.ok(!fits.has(first));
  const value = fits.get(first);
  assert.equal(fits.get(first), value);
  const next = store();
  assert.ok(next.has(again));
  assert.deepEqual(next.get(again), value);
  assert.deepEqual([first.made, again.made], [1, 0]);
  assert.ok(!next.has(other) && !store("another").has(again), "of another request, of another function");
  assert.equal((await readdir(folder)).length, 1);
});

it("makes again what is another's, was altered, or isn't near its function", async () => {
  const folder = useFolder("altered");
  store().get(request("a"));
  const [name] = await readdir(folder);
  const file = path.join(folder, name);
  const good = await readFile(file, "utf8");
  const { identity, digest, value } = JSON.parse(good) as { identity: string; digest: string; value: object };
  for (const wrong of [
    "",
    "{",
    good.replace("1e-300", "2e-300"), // and a digest that is the old value's
    JSON.stringify({ identity: `${identity} `, digest, value }),
    JSON.stringify({ identity, digest: digest.replace(/./, "x"), value }),
    JSON.stringify({ identity, digest: hashOf(JSON.stringify({ ...value, more: 1 })), value: { ...value, more: 1 } }),
    `${good}${" ".repeat(1 << 20)}`,
  ]) {
    await writeFile(file, wrong);
    const asked = request("a");
    assert.ok(!store().has(asked), wrong.slice(0, 60));
    assert.deepEqual(store().get(asked).numbers, [1, 1 / 3, 1e-300]);
    assert.equal(asked.made, 1);
    assert.equal(await readFile(file, "utf8"), good, "and writes it anew");
  }
  const far = { ...request("a"), agrees: () => false };
  assert.ok(!store().has(far));
});

it("keeps at most so many files, and does without where none can be written", async () => {
  const folder = useFolder("many");
  await mkdir(folder, { recursive: true });
  for (let i = 0; i < 1030; i++) await writeFile(path.join(folder, `${i}.json`), "");
  store().get(request("a"));
  assert.equal((await readdir(folder)).length, 1024);
  await writeFile(path.join(scratch.path, "file"), "");
  process.env.WEIR_CACHE = path.join(scratch.path, "file"); // no folder can be made in it
  const asked = request("a");
  assert.deepEqual(store().get(asked).numbers, [1, 1 / 3, 1e-300]);
  assert.equal(asked.made, 1);
});

it("gives the series of another process, bit by bit", async () => {
  useFolder("shared");
  const program = `
    import { rowSeries } from "./protocols/smpc/fit/row-series.ts";
    import { activationSeries } from "./protocols/smpc/fit/activation-series.ts";
    const row = rowSeries({ name: "n", kind: "inverseRoot", factor: 24, shift: 0.006 }, { from: 3, to: 700, maxError: 2e-4 });
    process.stdout.write(JSON.stringify([row, activationSeries("silu", 21, 4e-4)]));`;
  const run = async (cache: string): Promise<string> => {
    const env = { ...process.env, WEIR_CACHE: cache };
    const args = ["--import", "tsx", "--input-type=module", "-e", program];
    return (await promisify(execFile)(process.execPath, args, { cwd: CHECKOUT, env, maxBuffer: 1 << 24 })).stdout;
  };
  const shared = process.env.WEIR_CACHE!;
  const made = await run(shared);
  assert.equal((await readdir(path.join(shared, "series"))).length, 2);
  // Plans are compared by the hash of their text, so the order of keys counts too.
  assert.ok((await run(shared)) === made, "read");
  assert.ok((await run(path.join(scratch.path, "apart"))) === made, "made again");
  assert.ok((await run("/dev/null/nowhere")) === made, "made where nothing can be kept");
});
