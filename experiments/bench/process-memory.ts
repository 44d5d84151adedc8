import { readFile } from "node:fs/promises";

/** Memory of a process as the kernel counts it, bytes. */
export interface ProcessMemory {
  /** Pages in memory, shared ones included. */
  readonly residentBytes: number;
  /** Pages in memory, each shared one divided by the number of its users: these add up over processes. */
  readonly proportionalBytes: number;
  /** Pages that other processes map too. */
  readonly sharedBytes: number;
  /** Pages of this process alone. */
  readonly privateBytes: number;
}

/** Memory of a process of this machine by /proc/PID/smaps_rollup. Throws Error where the system has none (Linux only). */
export async function processMemory(pid: number): Promise<ProcessMemory> {
  const file = `/proc/${pid}/smaps_rollup`;
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `${file}: expected the kernel's memory figures of a live process, got ${error.code ?? error.message}`,
      { cause: error },
    );
  });
  const bytes = (field: string): number =>
    1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? NaN);
  return {
    residentBytes: bytes("Rss"),
    proportionalBytes: bytes("Pss"),
    sharedBytes: bytes("Shared_Clean") + bytes("Shared_Dirty"),
    privateBytes: bytes("Private_Clean") + bytes("Private_Dirty"),
  };
}
