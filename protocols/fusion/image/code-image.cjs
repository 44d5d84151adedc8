// @ts-check
/**
 * A code image: an entry of weir with all that it imports as one file of JavaScript (build-image.mjs makes it), and beside it what V8
 * compiled of it in earlier runs. Dozens of processes start on one machine: translating TypeScript took each command 1.3 s of CPU, and
 * compiling took each node process 0.1 s. Plain CommonJS, because nothing is loaded before it.
 */
"use strict";
const { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const path = require("node:path");
const v8 = require("node:v8");
const vm = require("node:vm");
const { cacheRoot } = require("../../../layers/cache-root.cjs");

/**
 * What an image was made of: its file, and each input (path relative to the checkout) with its stamp.
 * @typedef {{ readonly image: string, readonly inputs: Readonly<Record<string, string>> }} Manifest
 */

/**
 * An image that runs: what its entry exports, and `keep`, which keeps what V8 compiled for the next process of this role unless it is
 * kept already.
 * @typedef {{ readonly exports: any, keep(role: string): void }} LoadedImage
 */

/**
 * Folders that may hold the images of a checkout, the preferred one first: beside its packages, and where these can't be written, in
 * weir's cache under the checkout's own path.
 * @param {string} root the checkout, absolute
 * @returns {string[]}
 */
function imageFolders(root) {
  return [path.join(root, "node_modules", ".cache", "weir"), path.join(cacheRoot(), "code", root.replaceAll(":", ""))];
}

/**
 * The part of the names of an entry's files that is the entry's own: "cli/main.ts" is cli-main.
 * @param {string} entry
 */
const nameOf = (entry) => entry.replace(/\.ts$/, "").replaceAll("/", "-");

/**
 * The file that says what the image of an entry was made of.
 * @param {string} entry path relative to the checkout
 */
const manifestName = (entry) => `${nameOf(entry)}.json`;

/**
 * Size, times and inode of a file: a file that was written to, replaced or restored has another stamp, as nobody can set the time of
 * change. Empty where there is none.
 * @param {string} file
 */
function stampOf(file) {
  const state = statSync(file, { bigint: true, throwIfNoEntry: false });
  return state === undefined ? "" : `${state.size} ${state.mtimeNs} ${state.ctimeNs} ${state.ino}`;
}

/**
 * The image of an entry, absolute; null where none was made, or where a file that it was made of is another one by now.
 * @param {string} root the checkout, absolute
 * @param {string} entry path relative to it
 * @returns {string | null}
 */
function findImage(root, entry) {
  for (const folder of imageFolders(root)) {
    const manifest = readManifest(path.join(folder, manifestName(entry)));
    if (manifest === null) continue;
    const image = path.join(folder, manifest.image);
    const isCurrent = Object.entries(manifest.inputs).every(
      ([file, stamp]) => stampOf(path.join(root, file)) === stamp,
    );
    if (isCurrent && existsSync(image)) return image;
  }
  return null;
}

/**
 * @param {string} file
 * @returns {Manifest | null}
 */
function readManifest(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}

/**
 * Runs an image in this process. `roles`: which process this is, best name first; each role has compiled code of its own, as each uses
 * other functions. Compiled code is taken only where V8 finds that it is its own, of the same version and flags.
 * @param {string} file the image, absolute
 * @param {string} root the checkout, absolute
 * @param {readonly string[]} roles
 * @returns {LoadedImage}
 */
function loadImage(file, root, roles) {
  // V8's flags are part of the tag: processes with other flags don't replace one another's.
  const compiledName = (/** @type {string} */ role) =>
    `${file.replace(/\.cjs$/, "")}.${role}-${v8.cachedDataVersionTag().toString(16)}.v8`;
  let kept = "";
  /** @type {Buffer | undefined} */
  let cachedData;
  for (const role of roles) {
    try {
      cachedData = readFileSync(compiledName(role));
      kept = role;
      break;
    } catch {
      // Not made yet: the next role's, or none.
    }
  }
  const script = new vm.Script(readFileSync(file, "latin1"), { filename: file, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(path.join(root, "package.json")), module, root);
  return {
    exports: module.exports,
    keep(role) {
      if (role === kept && script.cachedDataRejected !== true) return;
      try {
        writeWhole(compiledName(role), script.createCachedData());
      } catch {
        // Where nothing can be kept the next start is slower, and no worse.
      }
    },
  };
}

/**
 * Writes a file whole or not at all, also when several processes write it at once. Throws where it can't be written.
 * @param {string} file
 * @param {Uint8Array | string} content
 */
function writeWhole(file, content) {
  const temporary = `${file}.${process.pid}.part`;
  try {
    writeFileSync(temporary, content);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

module.exports = { findImage, imageFolders, loadImage, manifestName, nameOf, stampOf, writeWhole };
