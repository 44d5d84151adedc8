#!/usr/bin/env node
import path from "node:path";
import { fileURLToPath } from "node:url";
import images from "../protocols/fusion/image/code-image.cjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ENTRY = "cli/main.ts";

const args = process.argv.slice(2);
if (process.env.WEIR_TRACE === undefined) {
  const builder = "../protocols/fusion/image/build-image.mjs";
  const file =
    images.findImage(ROOT, ENTRY) ?? (await import(builder).then(({ buildImage }) => buildImage(ROOT, ENTRY)));
  // A command's own code, else what no command needs: help, the version, mistakes.
  const image = images.loadImage(file, ROOT, [/^[a-z-]+$/.test(args[0] ?? "") ? args[0] : "none", "none"]);
  process.once("exit", (code) => {
    if (code === 0) image.keep(image.exports.isCommand(args[0]) ? args[0] : "none");
  });
  await image.exports.main();
} else {
  // Stack traces name lines of the sources.
  const { register } = await import("tsx/esm/api");
  register();
  const { main } = await import("./main.ts");
  await main();
}
