// @ts-check
/** A process of an image: `node run-image.cjs IMAGE CHECKOUT ROLE`. Its entry exports `run`, which gets a function that keeps compiled code. */
"use strict";
const { loadImage } = require("./code-image.cjs");

const [file, root, role] = process.argv.slice(2);
const image = loadImage(file, root, [role]);
image.exports.run(() => image.keep(role));
