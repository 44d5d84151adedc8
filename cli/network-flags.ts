import { z } from "zod";
import { runConfig } from "../protocols/fusion/config/run-config.ts";

const { cert, key, ca, insecurePlaintext } = runConfig.shape;

/** Flags of commands that speak to other machines: those of a run. */
export const networkFlags = z.object({ cert, key, ca, insecurePlaintext });
