import assert from "node:assert/strict";
import { ModelFileError } from "../../layers/model-file-error.ts";

/** The most CPU time that refusing a file may take: that of the whole process, which does nothing else. */
export const MAX_REFUSAL_CPU_MS = 1000;
/** By how much refusing a file may raise the most memory that the process ever had. */
export const MAX_REFUSAL_BYTES = 48 << 20;

/**
 * Asserts that `open` refuses the file: a ModelFileError that names the file (`named`, a part of its path) and the fault, within the
 * bounds on time and memory, and in a message of one line that a person can read.
 */
export async function assertRefused(open: () => Promise<unknown>, named: string, fault: RegExp): Promise<void> {
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  const cpuBefore = process.cpuUsage();
  const error = await open().then(
    () => assert.fail("expected the file to be refused, got it taken"),
    (error: unknown) => error,
  );
  const cpu = process.cpuUsage(cpuBefore);
  const tookMs = (cpu.user + cpu.system) / 1000;
  const grownBytes = process.resourceUsage().maxRSS * 1024 - peakBefore;
  assert.ok(error instanceof ModelFileError, `expected a ModelFileError, got ${String(error)}`);
  assert.ok(
    error.file.includes(named) && error.message.startsWith(`${error.file}: `),
    `expected ${named} named, got: ${error.message}`,
  );
  assert.match(error.message, fault);
  assert.ok(
    error.message.length < 1500 && !error.message.includes("\n"),
    `expected one readable line, got: ${error.message}`,
  );
  assert.ok(tookMs < MAX_REFUSAL_CPU_MS, `expected less than ${MAX_REFUSAL_CPU_MS} ms of CPU, got ${tookMs}`);
  assert.ok(grownBytes < MAX_REFUSAL_BYTES, `expected less than ${MAX_REFUSAL_BYTES} bytes more, got ${grownBytes}`);
}
