import type { SmpcPhases } from "../../../protocols/fusion/node/smpc-phases.ts";

/** The online phase of one party in one session. */
export interface PartyTimes {
  readonly seconds: number;
  /** User and system, of the process. */
  readonly cpuSeconds: number;
  /** Largest resident set of the process so far. */
  readonly residentBytes: number;
}

/** A party that is timed, wherever it runs: here, or in a process of its own. */
export interface TimedParty {
  /** Resolves when the party has its batch and its shares, and waits. */
  received(): Promise<void>;
  /** Lets it compute; resolves when it is done. */
  compute(): Promise<PartyTimes>;
}

interface Signal<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

/** Holds a session's own party before its online phase until all parties are there, and times that phase. For sessions of one step and segment. */
export class OnlineClock implements SmpcPhases, TimedParty {
  #received = signal<void>();
  #released = signal<void>();
  #done = signal<PartyTimes>();
  #startedAt = 0;
  #cpuAtStart: NodeJS.CpuUsage = { user: 0, system: 0 };

  async beforeOnline(): Promise<void> {
    this.#received.resolve();
    await this.#released.promise;
    this.#cpuAtStart = process.cpuUsage();
    this.#startedAt = performance.now();
  }

  afterOnline(): Promise<void> {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    const done = this.#done;
    [this.#received, this.#released, this.#done] = [signal(), signal(), signal()];
    done.resolve({
      seconds,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: 1024 * process.resourceUsage().maxRSS,
    });
    return Promise.resolve();
  }

  received(): Promise<void> {
    return this.#received.promise;
  }

  compute(): Promise<PartyTimes> {
    this.#released.resolve();
    return this.#done.promise;
  }
}

function signal<T>(): Signal<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
