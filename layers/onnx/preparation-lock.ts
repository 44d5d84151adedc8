import { open, readFile, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;
/** A holder touches nothing while it works; older locks are taken over, which is harmless as what they guard is renamed into place. */
const STALE_MS = 30 * 60_000;
const UNSIGNED_MS = 5000;

/**
 * Runs `work` while no other process of this machine holds `file`. A lock whose process is gone is taken over. The lock saves work
 * and memory, nothing hangs on it for correctness: what it guards must be safe to do twice.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(file))) {
    if (await isAbandoned(file)) await rm(file, { force: true });
    else await sleep(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    const handle = await open(file, "wx");
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const state = await stat(file).catch(() => null);
  if (state === null) return false;
  const ageMs = Date.now() - state.mtimeMs;
  if (ageMs > STALE_MS) return true;
  const holder = Number(await readFile(file, "utf8").catch(() => ""));
  // Taken this moment and not yet signed, or its holder ended in that moment.
  if (!Number.isInteger(holder) || holder <= 0) return ageMs > UNSIGNED_MS;
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
