import { existsSync } from "node:fs";

/** Why a test of a full disk can't run; false where /dev/full, to which every write fails with ENOSPC, is there. */
export const NO_FULL_DEVICE: string | false = existsSync("/dev/full") ? false : "this system has no /dev/full";
