/** Addresses of parties: ws://host:port or wss://host:port, and the rule that plain text stays on this machine. */
import { warn } from "../../layers/warning.ts";
import { AddressError } from "./errors.ts";

export interface WebSocketAddress {
  readonly secure: boolean;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
}

let warned = false;

/**
 * Parses an address. Plain ws:// is for loopback (127.0.0.0/8, ::1, localhost) unless `insecurePlaintext`, which warns on stderr
 * once. Throws AddressError.
 */
export function parseAddress(address: string, insecurePlaintext: boolean): WebSocketAddress {
  if (!URL.canParse(address))
    throw new AddressError(`address: expected ws://host:port or wss://host:port, got "${address}"`);
  const url = new URL(address);
  const secure = url.protocol === "wss:";
  if (!secure && url.protocol !== "ws:") throw new AddressError(`address: expected ws:// or wss://, got "${address}"`);
  // Node's URL drops a port that is the scheme's own.
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new AddressError(`address: expected host and port alone, got "${address}"`);
  }
  if (!secure && !isLoopback(host)) {
    if (!insecurePlaintext) {
      const advice =
        "use wss:// with certificates (or insecurePlaintext, and everybody on the way reads and alters every shard)";
      throw new AddressError(`address: expected a loopback host for plain ws://, got "${address}"; ${advice}`);
    }
    if (!warned) warn(`plain text to ${host} (insecurePlaintext): anyone on the way reads and alters all`);
    warned = true;
  }
  return { secure, host, port };
}

/** Is this host name or address this very machine? */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:/, "");
  return plain === "localhost" || plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}
