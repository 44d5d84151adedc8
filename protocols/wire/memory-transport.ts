/** Links between parties of one process: frames change hands without a copy, a whole queue at a time, on the next turn of the loop. */
import { ConnectError, ListenError } from "./errors.ts";
import type { Link, LinkHandler, Listener, Transport } from "./transport.ts";

/** One end of a link in memory. */
class MemoryLink implements Link {
  readonly remote: string;
  readonly loopback = true;
  readonly masked: boolean;
  unsentBytes = 0;
  other!: MemoryLink;
  #handler: LinkHandler | null = null;
  /** What the other end sent and this one has not delivered. */
  #arriving: Uint8Array[] = [];
  #scheduled = false;
  #paused = false;
  /** Set when the other end is gone: told after what it sent. */
  #ending: string | null = null;
  #closed = false;
  #waiting: { below: number; resolve: () => void }[] = [];
  #empty: (() => void)[] = [];

  constructor(remote: string, masked: boolean) {
    this.remote = remote;
    this.masked = masked;
  }

  start(handler: LinkHandler): void {
    this.#handler = handler;
    this.#schedule();
  }

  send(frame: Uint8Array): boolean {
    if (this.#closed || this.other.#closed) return true;
    this.unsentBytes += frame.byteLength;
    this.other.#arriving.push(frame);
    this.other.#schedule();
    return false;
  }

  drained(highWaterBytes: number): Promise<void> {
    if (this.#closed || this.unsentBytes < highWaterBytes) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ below: highWaterBytes, resolve }));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  async close(withinMs: number): Promise<void> {
    if (this.#closed) return;
    if (this.unsentBytes > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#empty.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.#end("closed by the peer");
  }

  terminate(): void {
    if (this.#closed) return;
    // A cut connection loses what was on its way.
    this.other.#arriving = [];
    this.#end("cut by the peer");
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#arriving = [];
    this.#release();
    this.other.#ending ??= reason;
    this.other.unsentBytes = 0;
    this.other.#release();
    this.other.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#paused || !this.#handler) return;
    if (this.#arriving.length === 0 && this.#ending === null) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const frames = this.#arriving;
    this.#arriving = [];
    for (let i = 0; i < frames.length; i++) {
      if (this.#closed) return;
      if (this.#paused) {
        this.#arriving = frames.slice(i).concat(this.#arriving);
        break;
      }
      this.other.unsentBytes = Math.max(0, this.other.unsentBytes - frames[i].byteLength);
      this.#handler?.frame(frames[i]);
    }
    this.other.#release();
    if (this.#ending !== null && this.#arriving.length === 0 && !this.#closed) {
      this.#closed = true;
      this.#release();
      this.#handler?.closed(this.#ending);
    }
  }

  #release(): void {
    const gone = this.#closed || this.other.#closed;
    if (gone || this.unsentBytes === 0) for (const resolve of this.#empty.splice(0)) resolve();
    if (this.#waiting.length === 0) return;
    const still = [];
    for (const waiter of this.#waiting) {
      if (gone || this.unsentBytes < waiter.below) waiter.resolve();
      else still.push(waiter);
    }
    this.#waiting = still;
  }
}

/** Two ends of a new link; the first is the dialling one, so its frames count as masked. */
export function memoryLinkPair(dialler: string, listener: string): [dialling: Link, listening: Link] {
  const dialling = new MemoryLink(listener, true);
  const listening = new MemoryLink(dialler, false);
  dialling.other = listening;
  listening.other = dialling;
  return [dialling, listening];
}

/** A transport among parties of one process; addresses are any strings. */
export class MemoryTransport implements Transport {
  readonly #listeners = new Map<string, (link: Link) => void>();

  // oxlint-disable-next-line typescript/require-await -- the interface's errors are rejections
  async listen(address: string, onLink: (link: Link) => void): Promise<Listener> {
    if (this.#listeners.has(address)) {
      throw new ListenError(
        `address ${address}: expected a free one, got one in use; close its listener or choose another`,
      );
    }
    this.#listeners.set(address, onLink);
    return {
      address,
      close: async () => {
        if (this.#listeners.get(address) === onLink) this.#listeners.delete(address);
      },
    };
  }

  async dial(address: string, withinMs: number): Promise<Link> {
    const giveUpAt = performance.now() + withinMs;
    for (;;) {
      const onLink = this.#listeners.get(address);
      if (onLink) {
        const [dialling, listening] = memoryLinkPair(`a dialler of ${address}`, address);
        onLink(listening);
        return dialling;
      }
      if (performance.now() >= giveUpAt) {
        throw new ConnectError(`dial ${address}: expected a listener within ${withinMs} ms, got none`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
