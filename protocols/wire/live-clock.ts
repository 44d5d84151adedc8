/**
 * A clock that runs only while this process does: a tick that comes late counts as one tick. A party that computed for seconds, or was
 * descheduled, then reads what has arrived meanwhile before any deadline can pass.
 */
export class LiveClock {
  nowMs = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  /** Calls `onTick` with the time that counts since the last tick, about every `tickMs`. */
  constructor(tickMs: number, onTick: (elapsedMs: number) => void) {
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const elapsedMs = Math.min(now - last, 2 * tickMs);
      last = now;
      this.nowMs += elapsedMs;
      onTick(elapsedMs);
    }, tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
