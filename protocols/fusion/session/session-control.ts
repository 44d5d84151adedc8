import { z } from "zod";
import { sessionDescription } from "./session-description.ts";

const session = z.int().min(0).max(0xffffffff);

/** Control messages of a session, by type; the endpoint refuses any other. */
export const SESSION_CONTROL = {
  /** Client -> node: take part in a session. */
  "session-open": z.strictObject({ type: z.literal("session-open"), session, description: sessionDescription }),
  /** Node -> client: I hold the same description (hash of each field) and wait for the first step. */
  "session-ready": z.strictObject({
    type: z.literal("session-ready"),
    session,
    hashes: z.record(z.string(), z.string()),
  }),
  /** Client -> dealer: the parties are ready; deal all steps up to this one. */
  "session-deal": z.strictObject({ type: z.literal("session-deal"), session, step: z.int().min(0) }),
  /** Client -> node: the session ends; report. */
  "session-close": z.strictObject({ type: z.literal("session-close"), session }),
  /** Node -> client: what the session cost here and what this party saw (positions, never values). */
  "session-report": z.strictObject({ type: z.literal("session-report"), session, report: z.unknown() }),
  /** Any party -> all: the session can't go on. */
  "session-abort": z.strictObject({ type: z.literal("session-abort"), session, party: z.string(), reason: z.string() }),
} as const;

type Schemas = typeof SESSION_CONTROL;
export type SessionControl = { [type in keyof Schemas]: z.infer<Schemas[type]> }[keyof Schemas];
