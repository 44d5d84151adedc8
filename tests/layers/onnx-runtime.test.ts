/** ONNX Runtime reports to nobody: no queue of events, no identifier of the machine. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { scratchFolder } from "./scratch-folder.ts";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
/** A process that opens sessions and ends. */
const PROCESS = `
  import { Float64Product } from "./layers/onnx/float64-product.ts";
  const product = await Float64Product.open(1);
  const y = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2], transposed: false };
  console.log((await product.times(Float64Array.of(1, 1), 2, y)).join());
`;

it("leaves nothing in the home folder of who runs it", async () => {
  const scratch = await scratchFolder();
  // ONNX Runtime is silent under CI anyway; this must hold without. Where the variable is set outside, this test shows nothing.
  const { CI: _ci, ORT_DISABLE_TELEMETRY: _outside, XDG_CACHE_HOME: _cache, ...env } = process.env;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", PROCESS],
    { cwd: CHECKOUT, env: { ...env, HOME: scratch.path } },
  );
  assert.equal(stdout, "4,6\n");
  assert.deepEqual(await readdir(scratch.path), []);
});

it("is imported in one place alone", async () => {
  const { stdout } = await promisify(execFile)("git", ["ls-files", "*.ts", "*.mjs", "*.cjs"], { cwd: CHECKOUT });
  const importing: string[] = [];
  for (const file of stdout.trim().split("\n")) {
    const text = await readFile(path.join(CHECKOUT, file), "utf8").catch(() => "");
    if (/(from|import|require)\s*\(?\s*["']onnxruntime-node["']/.test(text)) importing.push(file);
  }
  assert.deepEqual(importing, ["layers/onnx/runtime.ts"]);
});
