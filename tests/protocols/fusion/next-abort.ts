import type { Endpoint } from "../../../protocols/wire/endpoint.ts";

/** "PARTY: REASON" of the next abort of this session that the client is told of. */
export function nextAbort(client: Endpoint, session: number): Promise<string> {
  return new Promise((resolve) =>
    client.onControl((_peer, message) => {
      if (message.type === "session-abort" && message.session === session)
        resolve(`${String(message.party)}: ${String(message.reason)}`);
    }),
  );
}
