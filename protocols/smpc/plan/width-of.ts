import type { ValueInfo } from "./value.ts";

/** Bits of a value's words: a share's ring, or a wire; none for a client's numbers. */
export const widthOf = (info: ValueInfo): number =>
  info.kind === "share" ? info.ringBits : info.kind === "wire" ? info.bits : 0;
