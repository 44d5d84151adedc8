import type { WireLimits } from "../../../protocols/wire/limits.ts";

/** Parties lower plans of many layers without a pause, receive batches of gigabytes, and answer all of them before the client begins. */
export const BENCH_LIMITS: Partial<WireLimits> = {
  silentMs: 600_000,
  silentLoopbackMs: 600_000,
  receiveMs: 600_000,
  connectMs: 120_000,
  unreadHighWaterBytes: 1024 * 1024 * 1024,
  maxUnreadBytes: 2 * 1024 * 1024 * 1024,
};
