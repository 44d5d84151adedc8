import type { ControlMessage } from "./endpoint.ts";
import { ControlError } from "./errors.ts";

type Handler = (peer: string, message: ControlMessage) => void;

/** Control messages on their way to the handlers; the first handler gets what came before it, in order. */
export class ControlInbox {
  readonly #maxQueued: number;
  readonly #handlers: Handler[] = [];
  #queued: [peer: string, message: ControlMessage][] = [];

  constructor(maxQueuedControls: number) {
    this.#maxQueued = maxQueuedControls;
  }

  listen(handler: Handler): void {
    this.#handlers.push(handler);
    const queued = this.#queued;
    this.#queued = [];
    for (const [peer, message] of queued) handler(peer, message);
  }

  /** Throws ControlError where too many messages wait for a handler. */
  deliver(peer: string, message: ControlMessage): void {
    for (const handler of this.#handlers) handler(peer, message);
    if (this.#handlers.length > 0 || this.#queued.push([peer, message]) <= this.#maxQueued) return;
    const bound = `at most ${this.#maxQueued} control messages before a handler (maxQueuedControls)`;
    throw new ControlError(peer, `control messages: expected ${bound}, got one more from ${peer}`);
  }
}
