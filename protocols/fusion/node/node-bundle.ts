/**
 * The node process as one file of plain JavaScript. A loader that translates TypeScript at every start costs a process a quarter of a
 * second of CPU; dozens of nodes start on one machine.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** What reads the compiled kernels from beside their source; the bundle lies elsewhere, and has them in it. */
const READING = "readFileSync(KERNELS)";
const embeddedKernels: Plugin = {
  name: "embedded kernels",
  setup(build) {
    build.onLoad({ filter: /[\\/]shares[\\/]kernel-memory\.ts$/ }, async ({ path: file }) => {
      const source = await readFile(file, "utf8");
      if (!source.includes(READING)) throw new Error(`${file}: expected ${READING}, got a source without it`);
      const kernels = await readFile(path.join(path.dirname(file), "kernels", "kernels.wasm"), "base64");
      return { contents: source.replace(READING, `Buffer.from("${kernels}", "base64")`), loader: "ts" };
    });
  },
};

/**
 * Bundles node-process.ts and returns the file: one for each content, kept beside the packages. Packages are in it too (reading one
 * small file takes half the time of resolving dozens), but for those with native code.
 */
export async function bundleNodeProcess(): Promise<string> {
  const { build } = await import("esbuild");
  const result = await build({
    entryPoints: [path.join(HERE, "node-process.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["onnxruntime-node", "bufferutil", "utf-8-validate"],
    minify: true,
    keepNames: true, // errors and stack traces name classes and functions
    // ws is CommonJS and asks for Node's own modules by require.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    write: false,
    plugins: [embeddedKernels],
  });
  const code = result.outputFiles[0].contents;
  const name = `node-${createHash("sha256").update(code).digest("hex").slice(0, 16)}.mjs`;
  const folder = path.join(HERE, "..", "..", "..", "node_modules", ".cache", "weir");
  const file = path.join(folder, name);
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    const temporary = `${file}.${process.pid}`;
    await writeFile(temporary, code);
    await rename(temporary, file);
  }
  return file;
}
