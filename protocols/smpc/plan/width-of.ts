import type { ValueInfo } from "./value.ts";

/** Bits of a value's words: a share's ring, or a wire. */
export const widthOf = (info: ValueInfo): number => (info.kind === "share" ? info.ringBits : info.bits);
