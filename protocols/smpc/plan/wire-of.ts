import type { ValueInfo, WireInfo } from "./instruction.ts";

/** The wire that an id names. Throws Error naming `gate` for a share. */
export function wireOf(info: ValueInfo, gate: string): WireInfo {
  if (info.kind !== "wire") throw new Error(`${gate}: expected a wire, got a share`);
  return info;
}
