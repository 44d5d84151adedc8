import type { WireLimits } from "../../../protocols/wire/limits.ts";

/** Parties lower plans of many layers without a pause, and receive batches of gigabytes. */
export const BENCH_LIMITS: Partial<WireLimits> = {
  silentMs: 600_000,
  silentLoopbackMs: 600_000,
  receiveMs: 600_000,
  connectMs: 120_000,
};
