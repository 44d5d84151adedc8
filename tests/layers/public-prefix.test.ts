/** Keys and values of public tokens: those of the plain model, kept on disk, made once, made again where they are damaged. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, it } from "node:test";
import type { Model } from "../../layers/model.ts";
import { onnxEngine } from "../../layers/onnx/engine.ts";
import { prefixKeysAndValues } from "../../layers/prefix/prefix-keys-and-values.ts";
import { PrefixFile } from "../../layers/prefix/prefix-file.ts";
import { computePrefix, prefixHash, type KeysAndValues, type PublicPrefix } from "../../layers/prefix/public-prefix.ts";
import { forwardPass } from "../../layers/forward-pass.ts";
import { maxError, MODELS_FOLDER, openGolden } from "./golden-models.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** Rows in blocks and rows all at once, in float32, on keys of up to some ten. */
const FLOAT32_BOUND = 1e-4;

describe("the keys and values of a public prefix", async () => {
  const scratch = await scratchFolder();
  const cache = path.join(scratch.path, "cache");
  process.env.WEIR_CACHE = cache;
  const folder = path.join(cache, "prefixes");

  it("are those of the whole pass, in blocks of rows too, with and without windows", async () => {
    for (const name of ["mistral-window", "llama-gqa"]) {
      const { model } = await openGolden(name);
      const engine = await onnxEngine(model, { threads: 1 });
      const length = Math.min(300, model.spec.maxPositions);
      const ids = Array.from({ length }, (_, at) => (at * 7) % model.spec.vocabulary);
      const positions = ids.map((_, at) => at);
      const computed: KeysAndValues[] = [];
      for await (const layer of computePrefix(engine, ids)) computed.push(layer);
      let layer = 0;
      for await (const x of forwardPass(engine, await engine.embed(ids, positions), positions)) {
        if (layer === model.spec.layers) break;
        const { k, v } = await engine.pre(layer, x, positions);
        assert.ok(maxError(computed[layer].k.data, k.data) < FLOAT32_BOUND);
        assert.ok(maxError(computed[layer].v.data, v.data) < FLOAT32_BOUND);
        layer++;
      }
      assert.equal(computed.length, model.spec.layers);
      await engine.close();
      await model.close();
    }
  });

  it("are computed once, and again where their file was damaged, cut or removed", async () => {
    const { model } = await openGolden("llama-gqa");
    const ids = [3, 1, 4, 1, 5];
    let computed = 0;
    const open = () =>
      prefixKeysAndValues(model, ids, {
        report: (doing) => void (computed += +doing.endsWith("public tokens, once for this model")),
      });
    const first = await valuesOf(await open(), model);
    assert.equal(computed, 1);
    const opened = await open();
    assert.deepEqual(await valuesOf(opened, model), first);
    assert.equal(computed, 1, "expected the second session to read what the first wrote");

    const [name] = await readdir(folder);
    const file = path.join(folder, name);
    const bytes = await readFile(file);
    const flipped = Buffer.from(bytes);
    flipped[flipped.length - 3] ^= 1;
    for (const damaged of [flipped, bytes.subarray(0, -1), Buffer.alloc(0)]) {
      const before: number = computed;
      await writeFile(file, damaged);
      // Both who opens it and who has it open.
      assert.deepEqual(await valuesOf(opened, model), first);
      assert.deepEqual(await valuesOf(await open(), model), first);
      assert.equal(computed, before + 1);
      assert.ok(bytes.equals(await readFile(file)));
    }
    await model.close();
  });

  it("are written by one of the processes that want them at once, and left whole", async () => {
    const where = path.join(MODELS_FOLDER, "qwen3");
    const script = `
      const { openModel } = await import(${JSON.stringify(path.resolve("layers/model.ts"))});
      const { prefixKeysAndValues } = await import(${JSON.stringify(path.resolve("layers/prefix/prefix-keys-and-values.ts"))});
      const model = await openModel(${JSON.stringify(where)});
      const prefix = await prefixKeysAndValues(model, [1, 2, 3], { report: (doing) => console.log(doing) });
      await prefix.layer(0);
      await model.close();`;
    const runs = await Promise.all(
      [1, 2, 3].map(async () => {
        const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
          env: process.env,
          stdio: ["ignore", "pipe", "inherit"],
        });
        let text = "";
        child.stdout.on("data", (piece: Buffer) => (text += piece.toString()));
        assert.deepEqual((await once(child, "exit"))[0], 0);
        return text;
      }),
    );
    assert.equal(runs.filter((text) => text.includes("public tokens")).length, 1, runs.join("---"));
    assert.ok((await readdir(folder)).every((name) => /^[0-9a-f]{64}-[0-9a-f]{64}-float32$/.test(name)));
  });

  it("stay within the bytes that they may have on disk: the least recently used go", async () => {
    const rows = (value: number): KeysAndValues => {
      const tensor = { data: new Float32Array(64).fill(value), shape: [8, 8] };
      return { k: tensor, v: tensor };
    };
    const at = (hash: string): Promise<PrefixFile> =>
      PrefixFile.at({ fingerprint: "f", hash, word: "float32", rows: 8, columns: [8] }, 2000);
    const write = async (hash: string): Promise<void> =>
      (await at(hash)).write(
        (async function* () {
          yield rows(1);
        })(),
      );
    for (const name of await readdir(folder)) await utimes(path.join(folder, name), 1, 1);
    // 544 bytes each: three fit.
    for (const [age, hash] of ["a", "b", "c"].entries()) {
      await write(hash);
      await utimes((await at(hash)).path, 100 + age, 100 + age);
    }
    assert.ok(await (await at("a")).isThere()); // used just now
    await write("d");
    assert.deepEqual((await readdir(folder)).sort(), ["f-a-float32", "f-c-float32", "f-d-float32"]);
    assert.deepEqual((await (await at("d")).read(0))?.v, rows(1).v);
    assert.ok((await stat((await at("d")).path)).size === 544);
  });

  it("are kept apart by their ids", () => {
    assert.notEqual(prefixHash([1, 2]), prefixHash([2, 1]));
    assert.notEqual(prefixHash([1]), prefixHash([1, 0]));
  });
});

async function valuesOf(prefix: PublicPrefix, { spec }: Model): Promise<number[][]> {
  const values: number[][] = [];
  for (let layer = 0; layer < spec.layers; layer++) {
    const { k, v } = await prefix.layer(layer);
    values.push(Array.from(k.data), Array.from(v.data));
  }
  return values;
}
