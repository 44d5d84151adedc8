import { createServer } from "node:net";
import { parseAddress } from "../../wire/websocket-address.ts";

/**
 * Refuses addresses whose ports are in use, before a process is started for each. Throws Error that names `from`, the ports and their
 * parties; an address that can't be used for another reason is left to the party that listens there.
 */
export async function checkPorts(
  addresses: Readonly<Record<string, string>>,
  insecurePlaintext: boolean,
  from: string,
): Promise<void> {
  const taken = await Promise.all(
    Object.entries(addresses).map(async ([party, address]) => {
      const { host, port } = parseAddress(address, insecurePlaintext);
      return (await isTaken(host, port)) ? [`${port} (${party})`] : [];
    }),
  );
  const named = taken.flat();
  const more = named.length > MOST_NAMED ? [`${named.length - MOST_NAMED} more`] : [];
  const shown = [...named.slice(0, MOST_NAMED), ...more].join(", ");
  if (named.length > 0)
    throw new Error(
      `${from}: expected free ports, got ${shown} in use; stop the other processes, or take other ports: weir topology --port`,
    );
}

const MOST_NAMED = 6;

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE"));
    server.listen({ host, port }, () => server.close(() => resolve(false)));
  });
}
