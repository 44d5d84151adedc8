/** One WebSocket as a link: a frame is one binary message. */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Link, LinkHandler } from "./transport.ts";
import { isLoopback } from "./websocket-address.ts";

const BINARY = { binary: true, compress: false, fin: true } as const;

export class WebSocketLink implements Link {
  readonly remote: string;
  readonly loopback: boolean;
  readonly masked: boolean;
  readonly #ws: WebSocket;
  #handler: LinkHandler | null = null;
  /** What came before the handler, or while paused: ws still empties the chunk that it has read. */
  #held: Buffer[] = [];
  #paused = true;
  #over: string | null = null;
  #silenced = false;
  #waiting: { below: number; resolve: () => void }[] = [];
  readonly #onFlushed: () => void;

  /** `ws` is open; `dialled` says that this end made the connection. */
  constructor(ws: WebSocket, socket: Socket, dialled: boolean) {
    this.#ws = ws;
    this.masked = dialled;
    this.loopback = isLoopback(socket.remoteAddress ?? "");
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    // A machine that is gone without a word: the kernel asks after a second, and gives up after some ten.
    socket.setKeepAlive(true, 1000);
    this.#onFlushed = () => this.#release();
    ws.pause();
    ws.on("message", (data: Buffer) => {
      if (this.#silenced) return;
      if (this.#paused) this.#held.push(data);
      else this.#handler?.frame(data);
    });
    ws.on("error", (error: Error & { code?: string }) => this.#broke(error));
    ws.on("close", (code, reason) => {
      this.#end(code === 1006 ? "closed without a goodbye" : `closed with code ${code} ${reason.toString()}`.trim());
    });
  }

  get unsentBytes(): number {
    return this.#ws.bufferedAmount;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    this.resume();
    if (this.#over !== null) handler.closed(this.#over);
  }

  send(frame: Uint8Array): boolean {
    if (this.#ws.readyState !== this.#ws.OPEN) return true;
    this.#ws.send(frame, BINARY, this.#onFlushed);
    // Nothing buffered: the kernel has taken all of it.
    return this.#ws.bufferedAmount === 0;
  }

  drained(highWaterBytes: number): Promise<void> {
    if (this.#over !== null || this.#ws.bufferedAmount < highWaterBytes) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ below: highWaterBytes, resolve }));
  }

  pause(): void {
    this.#paused = true;
    this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (let i = 0; i < held.length; i++) {
      if (this.#paused) {
        this.#held = held.slice(i).concat(this.#held);
        return;
      }
      this.#handler?.frame(held[i]);
    }
    if (!this.#paused) this.#ws.resume();
  }

  close(withinMs: number): Promise<void> {
    this.#silenced = true;
    if (this.#ws.readyState === this.#ws.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#ws.terminate(), withinMs);
      this.#ws.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      // The other end's goodbye would wait behind what we do not read.
      this.#ws.resume();
      this.#ws.close(1000);
    });
  }

  terminate(): void {
    this.#silenced = true;
    this.#ws.terminate();
  }

  #broke(error: Error & { code?: string }): void {
    if (this.#silenced || this.#over !== null) return;
    if (error.code?.startsWith("WS_ERR_")) {
      const oversized =
        error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" || error.code === "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH";
      this.#handler?.broken(oversized ? "oversized" : "malformed", error.message);
    } else this.#end(`broken: ${error.message}`);
  }

  #end(reason: string): void {
    this.#release(true);
    if (this.#over !== null) return;
    this.#over = reason;
    if (!this.#silenced) this.#handler?.closed(reason);
  }

  #release(all = false): void {
    if (this.#waiting.length === 0) return;
    const unsent = this.#ws.bufferedAmount;
    const still = [];
    for (const waiter of this.#waiting) {
      if (all || unsent < waiter.below) waiter.resolve();
      else still.push(waiter);
    }
    this.#waiting = still;
  }
}
