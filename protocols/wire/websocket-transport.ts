/** Links over WebSockets: ws:// on loopback, wss:// with given certificates anywhere. */
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { AddressError, CertificateError, ConnectError, ListenError } from "./errors.ts";
import { HEADER_BYTES } from "./frame.ts";
import { wireLimits, type WireLimits } from "./limits.ts";
import type { Link, Listener, Transport } from "./transport.ts";
import { isLoopback, parseAddress } from "./websocket-address.ts";
import { WebSocketLink } from "./websocket-link.ts";

/** PEM texts for wss://. */
export interface Certificates {
  /** This party's certificate and key: needed to listen; to dial, where the listener asks for it. */
  readonly cert?: string;
  readonly key?: string;
  /** Who signs the certificates that we accept. A listener with it accepts only dialling parties that show one. */
  readonly ca?: string;
}

export interface WebSocketTransportOptions {
  readonly certificates?: Certificates;
  /** Allows plain ws:// between machines, with a warning. */
  readonly insecurePlaintext?: boolean;
  /**
   * Sends frames under an all-zero mask, which saves a copy and an XOR at the dialling end. Masks protect proxies from
   * scripts in browsers; between our own parties there is neither on wss:// and loopback, and only there it is allowed.
   */
  readonly skipMasking?: boolean;
  /** Those of the endpoints on it; chunkBytes and maxControlBytes bound what ws takes in. */
  readonly limits?: Partial<WireLimits>;
}

export class WebSocketTransport implements Transport {
  readonly #options: WebSocketTransportOptions;
  readonly #maxPayload: number;

  constructor(options: WebSocketTransportOptions = {}) {
    this.#options = options;
    const { chunkBytes, maxControlBytes } = wireLimits(options.limits);
    this.#maxPayload = HEADER_BYTES + Math.max(chunkBytes, maxControlBytes);
  }

  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    const { secure, host, port } = parseAddress(address, this.#options.insecurePlaintext ?? false);
    const server = secure ? this.#secureServer() : createServer();
    server.on("request", (_request, response) => {
      response.writeHead(426, { "Content-Type": "text/plain" }).end("weir: expected a WebSocket, got plain HTTP\n");
    });
    const sockets = new WebSocketServer({
      server,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: this.#maxPayload,
    });
    await new Promise<void>((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void => reject(listenError(address, error));
      // ws passes the server's errors on.
      sockets.once("error", refuse);
      server.listen({ host, port, backlog: 1024 }, () => {
        sockets.off("error", refuse);
        resolve();
      });
    });
    sockets.on("error", () => undefined);
    sockets.on("wsClientError", (_error, socket) => socket.destroy());
    server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
    sockets.on("connection", (ws, request) => onLink(new WebSocketLink(ws, request.socket, false)));
    const bound = server.address() as AddressInfo;
    const name = host.includes(":") ? `[${host}]` : host;
    return {
      address: `${secure ? "wss" : "ws"}://${name}:${bound.port}`,
      // Links live on: a closed listener only takes no new ones.
      close: async () => {
        sockets.close();
        server.close();
        server.closeIdleConnections();
      },
    };
  }

  async dial(address: string, withinMs: number): Promise<Link> {
    const { secure, host } = parseAddress(address, this.#options.insecurePlaintext ?? false);
    if (this.#options.skipMasking && !secure && !isLoopback(host)) {
      throw new AddressError(`skipMasking: expected wss:// or a loopback address, got "${address}"`);
    }
    const giveUpAt = performance.now() + withinMs;
    let hungUp = 0;
    for (let waitMs = 10; ; waitMs = Math.min(2 * waitMs, 250)) {
      try {
        return await this.#dialOnce(address, Math.max(1, giveUpAt - performance.now()));
      } catch (error) {
        const fault = error as NodeJS.ErrnoException;
        if (isCertificateFault(fault)) {
          throw new CertificateError(
            `dial ${address}: expected a certificate that ca signs for ${host}, got: ${fault.message}`,
          );
        }
        // TLS 1.3 refuses a certificate after the handshake, and the reset overtakes the alert that says so; see HANG_UPS.
        hungUp = secure && fault.code === "ECONNRESET" ? hungUp + 1 : 0;
        if (hungUp === HANG_UPS)
          throw new CertificateError(
            `dial ${address}: expected a party that takes this certificate, got ${HANG_UPS} hang-ups; give a cert and key that its ca signs`,
          );
        // Parties start in any order: who does not answer yet is asked again.
        const late = performance.now() + waitMs >= giveUpAt;
        if (late)
          throw new ConnectError(
            `dial ${address}: expected a party within ${withinMs} ms, got: ${fault.message}; is it running?`,
          );
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  #dialOnce(address: string, withinMs: number): Promise<Link> {
    const { certificates, skipMasking } = this.#options;
    return new Promise((resolve, reject) => {
      const ws = new WebSocket(address, {
        ...certificates,
        perMessageDeflate: false,
        maxPayload: this.#maxPayload,
        handshakeTimeout: Math.ceil(withinMs),
        followRedirects: false,
        ...(skipMasking ? { generateMask: (mask: Buffer) => void mask.fill(0) } : {}),
      });
      let socket: Socket | null = null;
      ws.once("upgrade", (response) => (socket = response.socket));
      ws.once("error", reject);
      ws.once("open", () => {
        ws.off("error", reject);
        resolve(new WebSocketLink(ws, socket as unknown as Socket, true));
      });
    });
  }

  #secureServer(): Server {
    const { cert, key, ca } = this.#options.certificates ?? {};
    if (!cert || !key)
      throw new CertificateError("listen on wss://: expected certificates with cert and key, got none");
    try {
      return createSecureServer({ cert, key, ca, requestCert: ca !== undefined, rejectUnauthorized: ca !== undefined });
    } catch (error) {
      throw new CertificateError(
        `certificates: expected PEM texts of a certificate and its key, got: ${(error as Error).message}`,
      );
    }
  }
}

function listenError(address: string, error: NodeJS.ErrnoException): ListenError {
  if (error.code === "EADDRINUSE") {
    return new ListenError(
      `listen on ${address}: expected a free port, got one in use; stop the other process, or take other ports: weir topology --port`,
    );
  }
  return new ListenError(
    `listen on ${address}: expected an address of this machine that may be used, got: ${error.message}`,
  );
}

/** As many in a row, over a second and more, are no accident: a party that doesn't listen yet refuses connections instead. */
const HANG_UPS = 8;

/** Errors of OpenSSL and of Node's check of the name, which no retry mends. */
const isCertificateFault = (error: NodeJS.ErrnoException): boolean =>
  /CERT|SIGNED|ISSUER|TLS|SSL|EPROTO|SIGNATURE|HOSTNAME/.test(error.code ?? "");
