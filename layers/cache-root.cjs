// @ts-check
"use strict";
const { homedir } = require("node:os");
const path = require("node:path");

/**
 * Where weir keeps what it can make again: $WEIR_CACHE, else $XDG_CACHE_HOME/weir, else ~/.cache/weir. CommonJS, because a start that is
 * to be quick reads it before any loader.
 * @returns {string}
 */
function cacheRoot() {
  const { WEIR_CACHE, XDG_CACHE_HOME } = process.env;
  return WEIR_CACHE || path.join(XDG_CACHE_HOME || path.join(homedir(), ".cache"), "weir");
}

module.exports = { cacheRoot };
