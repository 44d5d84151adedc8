#!/usr/bin/env node
import path from "node:path";
import { fileURLToPath } from "node:url";
import images from "../protocols/fusion/image/code-image.cjs";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const ENTRY = "cli/main.ts";
/** The role of what needs no command: help, the version, mistakes. */
const NO_COMMAND = "none";
/** A wait that is longer is told of. */
const LONG_MS = 3000;

const command = process.argv.slice(2).find((word) => !word.startsWith("-")) ?? NO_COMMAND;
if (process.env.WEIR_TRACE === undefined) {
  const image = images.loadImage(images.findImage(ROOT, ENTRY) ?? (await translate()), ROOT, [
    ...(/^[a-z-]+$/.test(command) ? [command] : []),
    NO_COMMAND,
  ]);
  process.once("exit", (code) => {
    if (code === 0) image.keep(image.exports.isCommand(command) ? command : NO_COMMAND);
  });
  await image.exports.main();
} else {
  // Stack traces name lines of the sources.
  const { register } = await import("tsx/esm/api");
  register();
  const { main } = await import("./main.ts");
  await main();
}

async function translate() {
  const long = setTimeout(
    () => process.stderr.write("translating weir, once after each change of its sources ...\n"),
    LONG_MS,
  );
  const { buildImage } = await import("../protocols/fusion/image/build-image.mjs");
  return buildImage(ROOT, ENTRY).finally(() => clearTimeout(long));
}
