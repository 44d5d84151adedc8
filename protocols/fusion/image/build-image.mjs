// @ts-check
/** Makes code images (code-image.cjs). Plain JavaScript: it runs where nothing is there yet that could load TypeScript. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import images from "./code-image.cjs";

/** Images of an entry that are kept: of some branches that a developer changes between. */
const MOST_IMAGES = 4;
/** A younger one may just be starting somewhere. */
const LEAST_AGE_MS = 3_600_000;
/** Attempts at an image whose inputs change while it is made. */
const ATTEMPTS = 3;
/** File systems take the time from a clock that ticks at least so often. */
const CLOCK_TICK_MS = 50;

/** What a file may ask about itself; in an image, where the file was. */
const OWN_PLACE = /\bimport\.meta\.(url|dirname|filename|resolve)\b/g;

/** Native code, what finds files beside itself, and what a run needs only to make an image. */
const EXTERNAL = ["onnxruntime-node", "bufferutil", "utf-8-validate", "esbuild", "tsx", "canvas"];

/**
 * Makes the image of an entry and gives its file, absolute: in the first of its folders that can be written, else in one of this
 * process that ends with it. Throws Error where nothing can be written, or where a source can't be translated.
 * @param {string} root the checkout, absolute
 * @param {string} entry path relative to it
 * @returns {Promise<string>}
 */
export async function buildImage(root, entry) {
  for (let attempt = 1; ; attempt++) {
    const startedAt = Date.now();
    const { code, inputs } = await bundle(root, entry);
    const stamps = Object.fromEntries(inputs.map((file) => [file, images.stampOf(path.join(root, file))]));
    // An input that changed since may be in the image as it was before; where the clock says so it is read again.
    const isSettled = inputs.every((file) => changedAt(path.join(root, file)) < startedAt - CLOCK_TICK_MS);
    if (isSettled || attempt === ATTEMPTS) return write(root, entry, code, isSettled ? stamps : null);
    await new Promise((resolve) => setTimeout(resolve, 2 * CLOCK_TICK_MS));
  }
}

/** @param {string} file */
const changedAt = (file) => statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? Infinity;

/**
 * The code of an entry as a function of (exports, require, module, root), and every file that it was made of, relative to the checkout.
 * @param {string} root
 * @param {string} entry
 */
async function bundle(root, entry) {
  const { build } = await import("esbuild");
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    // Compiled code is kept for scripts, and these have no import().
    supported: { "dynamic-import": false },
    external: EXTERNAL,
    // Names stay: errors and stack traces name classes and functions.
    minifyWhitespace: true,
    minifySyntax: true,
    tsconfigRaw: {},
    banner: { js: "(function (exports, require, module, root) {" },
    footer: { js: "})" },
    write: false,
    metafile: true,
    logLevel: "silent",
    plugins: [ownPlaces(root)],
  });
  const inputs = new Set(Object.keys(result.metafile.inputs));
  // What a package's name stands for is in its package.json.
  for (const input of Object.keys(result.metafile.inputs)) {
    const described = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path.join(root, input))?.[0];
    if (described !== undefined) inputs.add(path.relative(root, path.join(described, "package.json")));
  }
  inputs.add("package.json");
  for (const own of ["build-image.mjs", "code-image.cjs"])
    inputs.add(path.relative(root, path.join(import.meta.dirname, own)));
  return { code: result.outputFiles[0].contents, inputs: [...inputs].sort() };
}

/**
 * Sources that ask where they are get the place of the source, in the checkout that runs the image.
 * @param {string} root
 * @returns {import("esbuild").Plugin}
 */
function ownPlaces(root) {
  return {
    name: "own places",
    setup(build) {
      build.onLoad({ filter: /\.(ts|mjs)$/ }, ({ path: file }) => {
        const own = path.relative(root, file);
        if (own.startsWith("..") || own.split(path.sep).includes("node_modules")) return null;
        const source = readFileSync(file, "utf8");
        const place = `require("node:path").join(root, ${JSON.stringify(own)})`;
        const url = (/** @type {string} */ of) => `require("node:url").pathToFileURL(${of}).href`;
        /** @type {Record<string, string>} */
        const answers = {
          filename: place,
          dirname: `require("node:path").dirname(${place})`,
          url: url(place),
          resolve: `((name) => ${url("require.resolve(name)")})`,
        };
        const contents = source.replaceAll(OWN_PLACE, (_, asked) => `(${answers[asked]})`);
        return { contents, loader: file.endsWith(".ts") ? "ts" : "js" };
      });
    },
  };
}

/**
 * Keeps an image under its content, then says what it was made of (`stamps`; null: not known, so the next start makes it again).
 * @param {string} root
 * @param {string} entry
 * @param {Uint8Array} code
 * @param {Readonly<Record<string, string>> | null} stamps
 */
function write(root, entry, code, stamps) {
  const name = `${images.nameOf(entry)}-${createHash("sha256").update(code).digest("hex").slice(0, 16)}.cjs`;
  for (const folder of images.imageFolders(root)) {
    const file = path.join(folder, name);
    try {
      mkdirSync(folder, { recursive: true });
      if (!existsSync(file)) images.writeWhole(file, code);
      if (stamps !== null)
        images.writeWhole(
          path.join(folder, images.manifestName(entry)),
          JSON.stringify({ image: name, inputs: stamps }),
        );
    } catch {
      continue; // the next folder
    }
    removeOld(folder, entry, name);
    return file;
  }
  return writeForThisProcess(root, name, code);
}

/**
 * @param {string} root
 * @param {string} name
 * @param {Uint8Array} code
 */
function writeForThisProcess(root, name, code) {
  try {
    const folder = mkdtempSync(path.join(tmpdir(), "weir-code-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, name);
    images.writeWhole(file, code);
    return file;
  } catch (cause) {
    const tried = [...images.imageFolders(root), tmpdir()].join(", ");
    const got = /** @type {NodeJS.ErrnoException} */ (cause).code ?? String(cause);
    throw new Error(
      `code of weir: expected a folder that can be written (${tried}), got ${got}; set WEIR_CACHE to one that can`,
      { cause },
    );
  }
}

/**
 * Removes the oldest images of an entry, with what was compiled of them.
 * @param {string} folder
 * @param {string} entry
 * @param {string} current
 */
function removeOld(folder, entry, current) {
  try {
    const ours = new RegExp(`^${images.nameOf(entry)}-[0-9a-f]{16}\\.`);
    const files = readdirSync(folder)
      .filter((file) => ours.test(file))
      .map((file) => ({ file, image: file.replace(/\..*/, ".cjs"), at: statSync(path.join(folder, file)).mtimeMs }));
    const byAge = files.filter(({ file, image }) => file === image).sort((a, b) => b.at - a.at);
    const kept = new Set([current, ...byAge.slice(0, MOST_IMAGES).map(({ image }) => image)]);
    for (const { file, image, at } of files)
      if ((!kept.has(image) || file.endsWith(".part")) && Date.now() - at > LEAST_AGE_MS)
        rmSync(path.join(folder, file), { force: true });
  } catch {
    // Another process removes them at the same time.
  }
}
