// @ts-check
/**
 * A process of an image: `node run-image.cjs IMAGE CHECKOUT ROLE keep|take NAME`, the name for whoever lists processes. Its entry exports
 * `run`, which gets a function that keeps compiled code, where it is this process's turn to.
 */
"use strict";
const { loadImage } = require("./code-image.cjs");

const [file, root, role, turn] = process.argv.slice(2);
const image = loadImage(file, root, [role]);
image.exports.run(turn === "keep" ? () => image.keep(role) : () => {});
