import { z } from "zod";

/** What a command with --json prints instead of its record when it fails. */
export const errorRecord = z.strictObject({
  error: z.strictObject({
    message: z.string().describe("what: expected X, got Y, and what to do; the same text as on stderr"),
    name: z.string().describe("kind of error: Error, ConnectError, ModelFileError, CommanderError, ..."),
    code: z
      .string()
      .nullable()
      .describe("stable name of the fault where it has one: WIRE_CONNECT, ENOENT, commander.unknownOption; else null"),
  }),
});

export type ErrorRecord = z.infer<typeof errorRecord>;
