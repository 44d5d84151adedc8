import type { BatchStreams } from "../../../shares/stream-book.ts";
import type { ClientLinks } from "./client-run.ts";
import type { PartyClient } from "./party-run.ts";

/** A client's links to its parties within a process, of one batch: what either end sends is there when the other asks for it. */
export class ClientPipe implements ClientLinks {
  /** What the client sent to party 0, by level. */
  readonly taken: Uint8Array[] = [];
  takenBytes = 0;
  /** By party. */
  readonly givenBytes: number[];
  readonly #there = new Map<string, Uint8Array>();
  readonly #waiting = new Map<string, (payload: Uint8Array) => void>();

  constructor(parties: number) {
    this.givenBytes = Array.from({ length: parties }, () => 0);
  }

  async send(level: number, payload: Uint8Array): Promise<void> {
    this.taken[level] = payload;
    this.takenBytes += payload.length;
    this.#put(`taken ${level}`, payload);
  }

  receive(level: number, party: number, bytes: number): Promise<Uint8Array> {
    return this.#get(`given ${level} ${party}`, bytes);
  }

  /** A party's end; `streams`: of the seed that the client gave it, null at party 0. */
  of(party: number, streams: BatchStreams | null): PartyClient {
    return {
      streams,
      groups: 1,
      receive: (level, bytes) => this.#get(`taken ${level}`, bytes),
      send: async (level, payload) => {
        this.givenBytes[party] += payload.length;
        this.#put(`given ${level} ${party}`, payload);
      },
    };
  }

  #put(name: string, payload: Uint8Array): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) this.#there.set(name, payload);
    else waiting(payload);
  }

  async #get(name: string, bytes: number): Promise<Uint8Array> {
    const payload = this.#there.get(name) ?? (await new Promise<Uint8Array>((done) => this.#waiting.set(name, done)));
    if (payload.length !== bytes) throw new Error(`${name}: expected ${bytes} bytes, got ${payload.length}`);
    return payload;
  }
}
