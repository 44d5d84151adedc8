/** Control messages: JSON objects checked by a strict schema that their `type` selects; an unknown type or field is refused. */
import { prettifyError, strictObject, z, type ZodType } from "zod";
import type { ControlMessage } from "./endpoint.ts";
import { AbortedError, ControlError, OversizedError, WireError } from "./errors.ts";

const partyName = z.string().min(1).max(200);
const reason = z.string().max(4000);

/** The first frame of both ends of a link: what must agree (handshake.ts). */
export const helloSchema = strictObject({
  type: z.literal("hello"),
  protocol: z.int(),
  party: partyName,
  /** The party that the dialling end means to reach; null from the end that was dialled. */
  to: partyName.nullable(),
  model: z.string().max(1000),
  /** Fields of the public description: path to value or hash (describeFields). */
  description: z.record(z.string().max(200), z.string().max(200)),
  limits: z.record(z.string().max(50), z.int()),
});
export type Hello = z.infer<typeof helloSchema>;

/** The sender ends the run; `party` is at fault (null: nobody in particular), `reason` is the first cause. */
export const abortSchema = strictObject({
  type: z.literal("abort"),
  party: partyName.nullable(),
  code: z.string().max(100),
  reason,
});
export type Abort = z.infer<typeof abortSchema>;

/** Control messages that every endpoint knows; a protocol adds its own when it makes an endpoint. */
export const CONTROL_SCHEMAS = {
  hello: helloSchema,
  abort: abortSchema,
  /** The sender leaves in good order. */
  leave: strictObject({ type: z.literal("leave") }),
  /** Answered by the endpoint itself with a pong of the same id. */
  ping: strictObject({ type: z.literal("ping"), id: z.int() }),
  pong: strictObject({ type: z.literal("pong"), id: z.int() }),
} as const satisfies Record<string, ZodType>;

export type ControlSchemas = Readonly<Record<string, ZodType>>;

/** JSON bytes to a checked message. Throws ControlError naming `peer` and the fault. */
export function parseControl(bytes: Uint8Array, schemas: ControlSchemas, peer: string | null): ControlMessage {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ControlError(
      peer,
      `control message from ${peer}: expected JSON in UTF-8, got ${bytes.byteLength} bytes that are not`,
    );
  }
  return checkControl(value, schemas, `control message from ${peer}`, peer);
}

/** A checked message to JSON bytes. Throws ControlError, OversizedError. */
export function serializeControl(message: ControlMessage, schemas: ControlSchemas, maxBytes: number): Uint8Array {
  checkControl(message, schemas, "control message to send", null);
  const bytes = new TextEncoder().encode(JSON.stringify(message));
  if (bytes.byteLength > maxBytes) {
    throw new OversizedError(
      null,
      `control message ${message.type}: expected at most ${maxBytes} bytes (maxControlBytes), got ${bytes.byteLength}`,
    );
  }
  return bytes;
}

function checkControl(value: unknown, schemas: ControlSchemas, what: string, peer: string | null): ControlMessage {
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  if (typeof type !== "string" || !Object.hasOwn(schemas, type)) {
    const got = JSON.stringify(type)?.slice(0, 100) ?? "none";
    throw new ControlError(peer, `${what}: expected a type of ${Object.keys(schemas).join(", ")}, got ${got}`);
  }
  const result = schemas[type].safeParse(value);
  if (!result.success) {
    const fault = prettifyError(result.error).replaceAll("\n", "; ").slice(0, 1000);
    throw new ControlError(peer, `${what}: expected a valid "${type}", got: ${fault}`);
  }
  return result.data as ControlMessage;
}

/** The abort message that carries `error` on: an aborted party passes on the first cause, not its own words. */
export function abortOf(error: Error): Abort {
  const wire = error instanceof WireError ? error : null;
  const reason = error instanceof AbortedError ? error.reason : error.message;
  const code = error instanceof AbortedError ? error.reasonCode : (wire?.code ?? "ERROR");
  return { type: "abort", party: wire?.peer ?? null, code, reason: reason.slice(0, 4000) };
}
