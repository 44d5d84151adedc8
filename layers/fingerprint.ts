import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { cacheFolder, writeAtomically } from "./cache-folder.ts";

const HEX_SHA256 = /^[0-9a-f]{64}$/;
const READ_BYTES = 4 << 20;

/**
 * SHA-256 (hex) of every byte of the files and of `config`: equal exactly where the model is. The hash of a file is kept in the
 * cache folder under its path, size, inode and time of change, as reading a large model again takes seconds.
 */
export async function fingerprintOf(files: readonly string[], config: unknown): Promise<string> {
  const whole = createHash("sha256");
  whole.update(canonicalJson(config));
  for (const file of files) whole.update(await hashOfFile(file));
  return whole.digest("hex");
}

async function hashOfFile(file: string): Promise<string> {
  const state = await stat(file, { bigint: true });
  const identity = [await realpath(file), state.size, state.mtimeNs, state.ctimeNs, state.ino].join("\n");
  // Without a cache it is only slower: a party that runs attention alone needs no other.
  const folder = await cacheFolder("fingerprints").catch(() => null);
  const kept = folder === null ? null : path.join(folder, createHash("sha256").update(identity).digest("hex"));
  const known = kept === null ? "" : await readFile(kept, "utf8").catch(() => "");
  if (HEX_SHA256.test(known)) return known;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  const digest = hash.digest("hex");
  if (kept !== null) await writeAtomically(kept, digest).catch(() => undefined);
  return digest;
}

/** JSON with the keys of every object sorted, so that equal configurations hash equally. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
