/** Loaded before every test file: each fast-check property takes its seed from FC_SEED, so that a run can be repeated. */
import fc from "fast-check";

const seed = Number(process.env.FC_SEED);
if (process.env.FC_SEED !== undefined && !Number.isSafeInteger(seed))
  throw new Error(`FC_SEED: expected a whole number, got ${process.env.FC_SEED}`);
if (process.env.FC_SEED !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });
